// Gaussians <-> latent tokens with 3-D centres: the interface that both tokenizers implement.
#ifndef GWM_ENGINE_MODEL_TOKENIZER_H_
#define GWM_ENGINE_MODEL_TOKENIZER_H_

#include <torch/torch.h>

#include <memory>
#include <vector>

#include "engine/model/config.h"
#include "engine/scene/gaussians.h"

namespace gwm {

// B scenes of N = V*H*W pixel Gaussians (view, row, column order) and the cameras that saw them.
struct SceneBatch {
  Gaussians gaussians;           // [B, N, ...]
  torch::Tensor intrinsics;      // [B, V, 3, 3]
  torch::Tensor world_from_cam;  // [B, V, 4, 4]
  int64_t height = 0;
  int64_t width = 0;

  int64_t batch() const { return intrinsics.size(0); }
  int64_t views() const { return intrinsics.size(1); }
};

SceneBatch SceneTo(const SceneBatch& scene, torch::Device device);

// All that is chosen at Reset and kept for the episode. Tokens of every later frame refer to these
// centres, so that token i of one frame corresponds to token i of the next.
struct Anchors {
  torch::Tensor centres;  // [B, M, 3] m, world
  SceneBatch reset;       // the real frame that the episode started from
  torch::Tensor latents;  // [B, M, L] posterior means of `reset` (not standardised)
  // What a tokenizer keeps to decode quickly (its own layout): [B, ...] each.
  std::vector<torch::Tensor> cache;

  // Row b as a batch of one, and several rows as one batch.
  Anchors Row(int64_t row) const;
  static Anchors Stack(const std::vector<Anchors>& rows);
  // Row i of the result is row index[i] of this. index: i64 [B']
  Anchors Select(const torch::Tensor& index) const;
};

struct Posterior {
  torch::Tensor mean;     // [B, M, L]
  torch::Tensor log_var;  // [B, M, L], within [-12, 4]
};

class Tokenizer : public torch::nn::Module {
 public:
  // Never differentiates through the choice of centres.
  virtual Anchors ChooseAnchors(const SceneBatch& scene) = 0;
  virtual Posterior Encode(const SceneBatch& scene, const Anchors& anchors) = 0;
  // Detail-preserving: where the latents say that nothing changed since the reset frame, its real
  // Gaussians are kept. Reads `latents` and `anchors` alone, never the frame that the latents came
  // from.
  virtual Gaussians Decode(const torch::Tensor& latents, const Anchors& anchors) = 0;
};

// InvalidArgument when `config` is inconsistent (patch not a power of two, image not a multiple of
// it, ...).
absl::StatusOr<std::shared_ptr<Tokenizer>> MakeTokenizer(const ModelConfig& config);

}  // namespace gwm

#endif  // GWM_ENGINE_MODEL_TOKENIZER_H_
