// Projection of 3-D Gaussians to screen-space splats (EWA, Zwicker et al. 2001), forward and
// backward.
//
// Conventions: quaternions (w, x, y, z), normalised inside; camera axes OpenCV; pixel centres at
// +0.5; p_cam = R p_world + t with viewmat = cam_from_world. Semantics of gsplat 1.5: Jacobian with
// the frustum clamp of 1.3, radius = ceil(3.33 sigma) per axis, colour = max(0, 0.5 + SH(direction
// from the camera centre to the mean)).
//
// S scenes of N Gaussians each, P cameras per scene; view v = s * P + p of V = S * P sees scene s.
#ifndef GWM_KERNELS_PROJECT_H_
#define GWM_KERNELS_PROJECT_H_

#include <cstdint>

#include "kernels/simd.h"
#include "kernels/status.h"

namespace gwm::kernels {

// SH coefficients per channel = (degree + 1)^2; kDirectColors = plain RGB instead.
inline constexpr int kDirectColors = -1;
inline constexpr int kMaxShDegree = 4;

enum class Antialias {
  kNone,
  kCompensate,  // opacity *= sqrt(det(cov) / det(cov + eps2d I)), so that the dilation adds no
                // light
};

struct GaussianInputs {
  const float* means = nullptr;      // [S, N, 3] m, world
  const float* quats = nullptr;      // [S, N, 4] w, x, y, z; any length > 0
  const float* scales = nullptr;     // [S, N, 3] m, > 0
  const float* opacities = nullptr;  // [S, N] in [0, 1]
  const float* colors = nullptr;     // [S, N, 3] direct, or SH coefficients [S, N, K, 3]
  int64_t num_scenes = 1;            // S
  int64_t num_gaussians = 0;         // N
  int sh_degree = kDirectColors;     // degree evaluated, -1..4
  int sh_coefficients = 0;           // K stored, >= (sh_degree + 1)^2; ignored for direct colours
};

struct CameraInputs {
  const float* viewmats = nullptr;    // [V, 4, 4] cam_from_world, rigid, row-major
  const float* intrinsics = nullptr;  // [V, 3, 3] pixels, no skew
  int64_t views_per_scene = 1;        // P
  int width = 0;                      // pixels
  int height = 0;
};

struct RenderOptions {
  float eps2d = 0.3f;  // px^2 added to the diagonal of the screen covariance; 0 allowed
  Antialias antialias = Antialias::kNone;
  float max_alpha = 0.999f;  // (0, 1)
  float near_plane_m = 0.01f;
  float far_plane_m = 1e10f;
};

// One entry per (view, Gaussian). A culled Gaussian has radii 0 and its other entries are 0: behind
// or beyond the planes, outside the image, or a degenerate screen covariance (det <= 0 in float,
// possible only at eps2d = 0).
struct Splats {
  float* means2d = nullptr;        // [V, N, 2] px
  float* depths = nullptr;         // [V, N] m along the camera's z
  float* conics = nullptr;         // [V, N, 3] inverse covariance xx, xy, yy, px^-2
  float* sigmas = nullptr;         // [V, N, 2] px, standard deviation along x and y
  float* compensations = nullptr;  // [V, N] sqrt(det before / det after dilation), in [0, 1]
  float* colors = nullptr;         // [V, N, 3]
  float* opacities = nullptr;      // [V, N] opacity, times the compensation if asked for
  int32_t* radii = nullptr;        // [V, N, 2] px
};

// O(V N). kInvalidArgument for a negative size or an SH degree outside -1..4.
KernelStatus ProjectGaussians(const GaussianInputs& gaussians, const CameraInputs& cameras,
                              const RenderOptions& options, const Splats& out,
                              const CpuContext& cpu = {});

// Gradients with respect to the entries of Splats (opacities: the compensated ones).
struct SplatGrads {
  const float* means2d = nullptr;    // [V, N, 2]
  const float* depths = nullptr;     // [V, N]
  const float* conics = nullptr;     // [V, N, 3] of (xx, xy, yy), xy counted once
  const float* colors = nullptr;     // [V, N, 3]
  const float* opacities = nullptr;  // [V, N]
};

// Every pointer may be null: not wanted. All are accumulated into, views in index order.
struct GaussianGrads {
  float* means = nullptr;      // [S, N, 3]
  float* quats = nullptr;      // [S, N, 4]
  float* scales = nullptr;     // [S, N, 3]
  float* opacities = nullptr;  // [S, N]
  float* colors = nullptr;     // [S, N, 3] or [S, N, K, 3]
};

KernelStatus ProjectGaussiansBackward(const GaussianInputs& gaussians, const CameraInputs& cameras,
                                      const RenderOptions& options, const Splats& splats,
                                      const SplatGrads& grads, const GaussianGrads& out,
                                      const CpuContext& cpu = {});

// The same with device pointers, the same bits.
KernelStatus ProjectGaussiansCuda(const GaussianInputs& gaussians, const CameraInputs& cameras,
                                  const RenderOptions& options, const Splats& out,
                                  GpuStream stream);
KernelStatus ProjectGaussiansBackwardCuda(const GaussianInputs& gaussians,
                                          const CameraInputs& cameras, const RenderOptions& options,
                                          const Splats& splats, const SplatGrads& grads,
                                          const GaussianGrads& out, GpuStream stream);

}  // namespace gwm::kernels

#endif  // GWM_KERNELS_PROJECT_H_
