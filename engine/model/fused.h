// Chains of element-wise operations of a transformer block, each in one pass over its data when no
// gradient is wanted; otherwise the same formulas in Torch.
#ifndef GWM_ENGINE_MODEL_FUSED_H_
#define GWM_ENGINE_MODEL_FUSED_H_

#include <torch/torch.h>

#include "engine/model/layers.h"

namespace gwm {

// What normalised tokens are multiplied with and moved by: y * (1 + scale) + shift. Both [B, D], or
// both undefined: neither.
struct Modulation {
  torch::Tensor shift;
  torch::Tensor scale;
};

// RmsNorm(x) * weight, modulated. x: f32 [B, M, D]; weight: [D].
torch::Tensor NormModulated(const torch::Tensor& x, const torch::Tensor& weight,
                            const Modulation& modulation = {});

struct Added {
  torch::Tensor sum;     // [B, M, D] x + gate * branch
  torch::Tensor normed;  // [B, M, D] NormModulated(sum)
};
// gate: [B, D]; undefined: 1.
Added AddAndNorm(const torch::Tensor& x, const torch::Tensor& branch, const torch::Tensor& gate,
                 const torch::Tensor& weight, const Modulation& modulation = {});

// ApplyRope(RmsNorm(SplitHeads(x, heads), weight), rope). x: f32 [B, T, heads * d], also a slice of
// a wider tensor; weight: [d]; rope of [B, M, d / 2] with T a multiple of M: token t turns as
// token t % M. -> [B, heads, T, d]
torch::Tensor RotatedHeads(const torch::Tensor& x, int64_t heads, const torch::Tensor& weight,
                           const Rope& rope);

}  // namespace gwm

#endif  // GWM_ENGINE_MODEL_FUSED_H_
