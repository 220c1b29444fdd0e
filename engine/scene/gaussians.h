// A set of 3-D Gaussians in the unconstrained parametrisation of the public PLY files: any real
// number is a legal value.
#ifndef GWM_ENGINE_SCENE_GAUSSIANS_H_
#define GWM_ENGINE_SCENE_GAUSSIANS_H_

#include <torch/torch.h>

#include <span>

#include "engine/api/types.h"

namespace gwm {

// Zeroth real spherical harmonic: colour = 0.5 + kSh0 * sh[0].
inline constexpr double kSh0 = 0.28209479177387814;

// All f32, one device, the same leading dimensions `...` (batch) and N.
struct Gaussians {
  torch::Tensor means;           // [..., N, 3] m, world
  torch::Tensor log_scales;      // [..., N, 3] natural log of m
  torch::Tensor quats;           // [..., N, 4] w, x, y, z; not necessarily of unit length
  torch::Tensor sh;              // [..., N, K, 3], K = (degree + 1)^2, degree 0..4
  torch::Tensor opacity_logits;  // [..., N]

  int64_t count() const { return means.size(-2); }
  int64_t sh_degree() const;

  torch::Tensor scales() const { return log_scales.exp(); }             // [..., N, 3] m
  torch::Tensor opacities() const { return opacity_logits.sigmoid(); }  // [..., N] in (0, 1)
  torch::Tensor rgb0() const;  // [..., N, 3] colour of degree 0 alone, not clamped

  torch::Device device() const { return means.device(); }
  Gaussians To(torch::Device device) const;
  Gaussians Detach() const;
  // Element `index` of the first batch dimension.
  Gaussians operator[](int64_t index) const;
  // Gaussians begin..end-1, and those named by `indices` (i64 [n]), along N.
  Gaussians Slice(int64_t begin, int64_t end) const;
  Gaussians Index(const torch::Tensor& indices) const;

  // Throws c10::ValueError when the members' shapes or dtypes contradict each other.
  void Check() const;
};

// Joined along N; stacked along a new first dimension. At least one part, all of one SH degree.
Gaussians Cat(std::span<const Gaussians> parts);
Gaussians Stack(std::span<const Gaussians> parts);

torch::Tensor ShFromRgb(const torch::Tensor& rgb);  // any shape
torch::Tensor RgbFromSh(const torch::Tensor& sh0);  // any shape, not clamped

// Host copies. ToCloud takes one scene, [N, ...].
Gaussians FromCloud(const GaussianCloud& cloud, torch::Device device = torch::kCPU);
GaussianCloud ToCloud(const Gaussians& gaussians);

}  // namespace gwm

#endif  // GWM_ENGINE_SCENE_GAUSSIANS_H_
