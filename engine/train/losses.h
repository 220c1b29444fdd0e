// Loss terms of the tokenizers. All differentiable; tensors on a GPU take plain Torch forms.
#ifndef GWM_ENGINE_TRAIN_LOSSES_H_
#define GWM_ENGINE_TRAIN_LOSSES_H_

#include <torch/torch.h>

#include "engine/model/tokenizer.h"

namespace gwm {

struct Nearest {
  torch::Tensor
      sqdist;  // [B, N] squared distance to the nearest target, differentiable in both sets
  torch::Tensor index;  // i64 [B, N]
};
// queries [B, N, D], targets [B, M, D]; lowest index on ties.
Nearest NearestTargets(const torch::Tensor& queries, const torch::Tensor& targets);

// Mean over points of the squared distance to the other set, both directions added, mean over the
// batch (pytorch3d).
torch::Tensor ChamferLoss(const torch::Tensor& x, const torch::Tensor& y);

// 0.5 * mean(mean^2 + exp(log_var) - 1 - log_var).
torch::Tensor KlLoss(const Posterior& posterior);

// L1 between the 11 features other than the centre of each Gaussian of `x` and those of the nearest
// one of `y`, and back.
torch::Tensor MatchedFeatureLoss(const Gaussians& x, const Gaussians& y);

// 1 + extra where any colour differs from the reset frame by more than 10/255. pixels, reset: [B,
// V, 4, H, W] -> [B, V, 1, H, W]
torch::Tensor ChangedWeight(const torch::Tensor& pixels, const torch::Tensor& reset, double extra);

// Weighted mean of 5 d^2 + 0.2 |d| over colour, plus `depth` times the same over half the inverse
// depth (1/m). The squares make the decoder answer with the mean where it is unsure, the absolute
// values keep edges.
torch::Tensor PixelLoss(const torch::Tensor& decoded, const torch::Tensor& target,
                        const torch::Tensor& weight, double depth);

// Mean L1 of images rendered from rows 0..rows-1 of `gaussians` at the cameras of `scene`, against
// pixels [B, V, 4, H, W]; weight as from ChangedWeight.
torch::Tensor RenderedLoss(const Gaussians& gaussians, const SceneBatch& scene,
                           const torch::Tensor& pixels, const torch::Tensor& weight, int64_t rows);

}  // namespace gwm

#endif  // GWM_ENGINE_TRAIN_LOSSES_H_
