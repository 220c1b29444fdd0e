// Covariances and spherical harmonics of Gaussians, in plain differentiable Torch (f32 or f64).
#ifndef GWM_ENGINE_SCENE_GAUSSIAN_OPS_H_
#define GWM_ENGINE_SCENE_GAUSSIAN_OPS_H_

#include <torch/torch.h>

namespace gwm {

// quats [..., 4] w, x, y, z (normalised inside), scales [..., 3] linear -> [..., 3, 3].
torch::Tensor CovarianceFrom(const torch::Tensor& quats,
                             const torch::Tensor& scales);  // (R S)(R S)^T
torch::Tensor PrecisionFrom(const torch::Tensor& quats,
                            const torch::Tensor& scales);  // its inverse
// [..., 3, 3] symmetric -> [..., 6] in the order xx, xy, xz, yy, yz, zz.
torch::Tensor UpperTriangle(const torch::Tensor& matrices);

// Real spherical harmonics up to `degree` (0..4) at `directions` [..., 3] (normalised inside), in
// the order and with the signs of the public 3DGS files: [..., (degree + 1)^2].
torch::Tensor ShBases(const torch::Tensor& directions, int64_t degree);
// sum_k bases_k(direction) * sh[..., k, :]: [..., 3], without the 0.5 and without a clamp. sh:
// [..., K, 3].
torch::Tensor ShValue(const torch::Tensor& sh, const torch::Tensor& directions);

}  // namespace gwm

#endif  // GWM_ENGINE_SCENE_GAUSSIAN_OPS_H_
