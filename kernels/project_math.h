// Projection of one Gaussian to one view and its gradient, shared by CPU and CUDA: same operations
// in the same order. Internal.
#ifndef GWM_KERNELS_PROJECT_MATH_H_
#define GWM_KERNELS_PROJECT_MATH_H_

#include <cmath>
#include <cstdint>

#include "kernels/ewa_math.h"
#include "kernels/gaussian_math.h"
#include "kernels/host_device.h"
#include "kernels/project.h"
#include "kernels/sh_math.h"

namespace gwm::kernels {

inline constexpr float kRadiusSigmas = 3.33f;
inline constexpr float kLargestRadiusPx = 1e9f;

struct ProjectContext {
  GaussianInputs gaussians;
  CameraInputs cameras;
  RenderOptions options;
  Splats splats;
};

inline bool ValidProjection(const GaussianInputs& gaussians, const CameraInputs& cameras,
                            const RenderOptions& options) {
  const int bases = (gaussians.sh_degree + 1) * (gaussians.sh_degree + 1);
  return gaussians.num_scenes >= 0 && gaussians.num_gaussians >= 0 &&
         gaussians.num_gaussians < (int64_t{1} << 31) && gaussians.sh_degree >= kDirectColors &&
         gaussians.sh_degree <= kMaxShDegree &&
         (gaussians.sh_degree < 0 || gaussians.sh_coefficients >= bases) &&
         cameras.views_per_scene >= 0 && cameras.width >= 0 && cameras.height >= 0 &&
         options.eps2d >= 0;
}

GWM_HOST_DEVICE int64_t ColorStride(const GaussianInputs& gaussians) {
  return gaussians.sh_degree < 0 ? 3 : 3 * static_cast<int64_t>(gaussians.sh_coefficients);
}

GWM_HOST_DEVICE PinholeView<float> ViewOf(const CameraInputs& cameras, int64_t v) {
  PinholeView<float> view;
  MakePinholeView(cameras.viewmats + 16 * v, cameras.intrinsics + 9 * v, cameras.width,
                  cameras.height, &view);
  return view;
}

// m [3, 3] = R S of Gaussian g.
GWM_HOST_DEVICE void ShapeOf(const GaussianInputs& gaussians, int64_t g, float* m) {
  float rotation[9];
  QuatToRotation(gaussians.quats + 4 * g, rotation);
  ScaledRotation(rotation, gaussians.scales + 3 * g, m);
}

template <typename T>
GWM_HOST_DEVICE void CopyFew(const T* from, int n, T* to) {
  for (int k = 0; k < n; ++k) to[k] = from[k];
}

GWM_HOST_DEVICE void CullSplat(const Splats& s, int64_t i) {
  for (int c = 0; c < 2; ++c) s.means2d[2 * i + c] = s.sigmas[2 * i + c] = 0.0f;
  for (int c = 0; c < 3; ++c) s.conics[3 * i + c] = s.colors[3 * i + c] = 0.0f;
  for (int c = 0; c < 2; ++c) s.radii[2 * i + c] = 0;
  s.depths[i] = s.compensations[i] = s.opacities[i] = 0.0f;
}

GWM_HOST_DEVICE int32_t SplatRadius(float sigma) {
  const float radius = std::ceil(kRadiusSigmas * sigma);
  return static_cast<int32_t>(kLargestRadiusPx < radius ? kLargestRadiusPx : radius);
}

GWM_HOST_DEVICE bool TouchesImage(const ScreenSplat<float>& s, const int32_t* radii, int width,
                                  int height) {
  return s.mean[0] + radii[0] > 0 && s.mean[0] - radii[0] < width && s.mean[1] + radii[1] > 0 &&
         s.mean[1] - radii[1] < height;
}

GWM_HOST_DEVICE void ViewDirection(const PinholeView<float>& view, const float* mean,
                                   float* direction) {
  CameraCenter(view, direction);
  for (int c = 0; c < 3; ++c) direction[c] = mean[c] - direction[c];
}

GWM_HOST_DEVICE void ShadeSplat(const GaussianInputs& gaussians, const PinholeView<float>& view,
                                const float* mean, const float* coefficients, float* rgb) {
  if (gaussians.sh_degree < 0) {
    CopyFew(coefficients, 3, rgb);
    return;
  }
  float direction[3];
  ViewDirection(view, mean, direction);
  ShColor(gaussians.sh_degree, direction, coefficients, rgb);
  for (int c = 0; c < 3; ++c) rgb[c] = 0.0f < rgb[c] + 0.5f ? rgb[c] + 0.5f : 0.0f;
}

// Entry i of the splats = Gaussian g (over all scenes) seen by `view`.
GWM_HOST_DEVICE void ProjectOne(const ProjectContext& ctx, const PinholeView<float>& view,
                                int64_t g, int64_t i) {
  const float* mean = ctx.gaussians.means + 3 * g;
  float p_cam[3], m[9];
  ToCamera(view, mean, p_cam);
  ShapeOf(ctx.gaussians, g, m);
  ScreenSplat<float> s;
  const bool in_range = p_cam[2] > ctx.options.near_plane_m && p_cam[2] < ctx.options.far_plane_m;
  if (!in_range || !ProjectSplat(view, p_cam, m, ctx.options.eps2d, &s)) {
    CullSplat(ctx.splats, i);
    return;
  }
  const float sigmas[2] = {std::sqrt(s.variance[0]), std::sqrt(s.variance[1])};
  const int32_t radii[2] = {SplatRadius(sigmas[0]), SplatRadius(sigmas[1])};
  if (!TouchesImage(s, radii, ctx.cameras.width, ctx.cameras.height)) {
    CullSplat(ctx.splats, i);
    return;
  }
  const bool compensate = ctx.options.antialias == Antialias::kCompensate;
  CopyFew(s.mean, 2, ctx.splats.means2d + 2 * i);
  CopyFew(s.conic, 3, ctx.splats.conics + 3 * i);
  CopyFew(sigmas, 2, ctx.splats.sigmas + 2 * i);
  CopyFew(radii, 2, ctx.splats.radii + 2 * i);
  ctx.splats.depths[i] = s.depth;
  ctx.splats.compensations[i] = s.compensation;
  ctx.splats.opacities[i] = ctx.gaussians.opacities[g] * (compensate ? s.compensation : 1.0f);
  ShadeSplat(ctx.gaussians, view, mean, ctx.gaussians.colors + ColorStride(ctx.gaussians) * g,
             ctx.splats.colors + 3 * i);
}

// Gradient sums of one Gaussian over its views.
struct GaussianGradSum {
  float mean[3] = {};
  float m[9] = {};
  float opacity = 0;
};

GWM_HOST_DEVICE void AddColorGradient(const ProjectContext& ctx, const SplatGrads& grads,
                                      const PinholeView<float>& view, int64_t g, int64_t i,
                                      float* out_colors, GaussianGradSum* sum) {
  const int64_t stride = ColorStride(ctx.gaussians);
  const float* grad_rgb = grads.colors + 3 * i;
  float* out = out_colors ? out_colors + stride * g : nullptr;
  if (ctx.gaussians.sh_degree < 0) {
    for (int c = 0; out != nullptr && c < 3; ++c) out[c] += grad_rgb[c];
    return;
  }
  float open[3], direction[3], grad_direction[3];
  for (int c = 0; c < 3; ++c) open[c] = ctx.splats.colors[3 * i + c] > 0 ? grad_rgb[c] : 0.0f;
  ViewDirection(view, ctx.gaussians.means + 3 * g, direction);
  ShColorBackward(ctx.gaussians.sh_degree, direction, ctx.gaussians.colors + stride * g, open,
                  grad_direction, out);
  for (int c = 0; c < 3; ++c) sum->mean[c] += grad_direction[c];
}

// Adds the gradient of entry i, which must be visible; m = R S of Gaussian g.
GWM_HOST_DEVICE void AddViewGradient(const ProjectContext& ctx, const SplatGrads& grads,
                                     const PinholeView<float>& view, int64_t g, int64_t i,
                                     const float* m, float* out_colors, GaussianGradSum* sum) {
  float p_cam[3], grad_p_cam[3], grad_m[9];
  ToCamera(view, ctx.gaussians.means + 3 * g, p_cam);
  ScreenSplat<float> s;
  if (!ProjectSplat(view, p_cam, m, ctx.options.eps2d, &s)) return;
  ScreenSplatGrad<float> grad;
  CopyFew(grads.means2d + 2 * i, 2, grad.mean);
  CopyFew(grads.conics + 3 * i, 3, grad.conic);
  grad.depth = grads.depths[i];
  const bool compensate = ctx.options.antialias == Antialias::kCompensate;
  grad.compensation = compensate ? grads.opacities[i] * ctx.gaussians.opacities[g] : 0.0f;
  sum->opacity += grads.opacities[i] * (compensate ? s.compensation : 1.0f);
  ProjectSplatBackward(view, p_cam, m, s, grad, grad_p_cam, grad_m);
  for (int j = 0; j < 3; ++j) {
    sum->mean[j] += view.rotation[j] * grad_p_cam[0] + view.rotation[3 + j] * grad_p_cam[1] +
                    view.rotation[6 + j] * grad_p_cam[2];
  }
  for (int k = 0; k < 9; ++k) sum->m[k] += grad_m[k];
  AddColorGradient(ctx, grads, view, g, i, out_colors, sum);
}

GWM_HOST_DEVICE void AddGaussianGradient(const GaussianInputs& gaussians,
                                         const GaussianGradSum& sum, int64_t g,
                                         const GaussianGrads& out) {
  float grad_quat[4], grad_scales[3];
  ScaledRotationBackward(gaussians.quats + 4 * g, gaussians.scales + 3 * g, sum.m, grad_quat,
                         grad_scales);
  for (int c = 0; out.means != nullptr && c < 3; ++c) out.means[3 * g + c] += sum.mean[c];
  for (int c = 0; out.quats != nullptr && c < 4; ++c) out.quats[4 * g + c] += grad_quat[c];
  for (int c = 0; out.scales != nullptr && c < 3; ++c) out.scales[3 * g + c] += grad_scales[c];
  if (out.opacities != nullptr) out.opacities[g] += sum.opacity;
}

}  // namespace gwm::kernels

#endif  // GWM_KERNELS_PROJECT_MATH_H_
