#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/ewa_math.h"
#include "kernels/gaussian_math.h"
#include "kernels/parallel.h"
#include "kernels/project.h"
#include "kernels/sh_math.h"

namespace gwm::kernels {
namespace {

constexpr int64_t kGaussianGrain = 256;
constexpr float kRadiusSigmas = 3.33f;
constexpr float kLargestRadiusPx = 1e9f;

struct ProjectContext {
  const GaussianInputs& gaussians;
  const CameraInputs& cameras;
  const RenderOptions& options;
  const Splats& splats;

  int64_t ColorStride() const {
    return gaussians.sh_degree < 0 ? 3 : 3 * static_cast<int64_t>(gaussians.sh_coefficients);
  }
  PinholeView<float> View(int64_t v) const {
    PinholeView<float> view;
    MakePinholeView(cameras.viewmats + 16 * v, cameras.intrinsics + 9 * v, cameras.width,
                    cameras.height, &view);
    return view;
  }
};

void Cull(const Splats& s, int64_t i) {
  std::fill_n(s.means2d + 2 * i, 2, 0.0f);
  std::fill_n(s.conics + 3 * i, 3, 0.0f);
  std::fill_n(s.sigmas + 2 * i, 2, 0.0f);
  std::fill_n(s.colors + 3 * i, 3, 0.0f);
  std::fill_n(s.radii + 2 * i, 2, 0);
  s.depths[i] = s.compensations[i] = s.opacities[i] = 0.0f;
}

int32_t Radius(float sigma) {
  return static_cast<int32_t>(std::min(std::ceil(kRadiusSigmas * sigma), kLargestRadiusPx));
}

bool TouchesImage(const ScreenSplat<float>& s, const int32_t* radii, int width, int height) {
  return s.mean[0] + radii[0] > 0 && s.mean[0] - radii[0] < width && s.mean[1] + radii[1] > 0 &&
         s.mean[1] - radii[1] < height;
}

void ViewDirection(const PinholeView<float>& view, const float* mean, float* direction) {
  CameraCenter(view, direction);
  for (int c = 0; c < 3; ++c) direction[c] = mean[c] - direction[c];
}

void ShadeSplat(const GaussianInputs& gaussians, const PinholeView<float>& view, const float* mean,
                const float* coefficients, float* rgb) {
  if (gaussians.sh_degree < 0) {
    std::copy_n(coefficients, 3, rgb);
    return;
  }
  float direction[3];
  ViewDirection(view, mean, direction);
  ShColor(gaussians.sh_degree, direction, coefficients, rgb);
  for (int c = 0; c < 3; ++c) rgb[c] = std::max(0.0f, rgb[c] + 0.5f);
}

// Entry i of the splats = Gaussian g (over all scenes) seen by `view`; m = R S of the Gaussian.
void ProjectOne(const ProjectContext& ctx, const PinholeView<float>& view, int64_t g, int64_t i,
                const float* m) {
  const float* mean = ctx.gaussians.means + 3 * g;
  float p_cam[3];
  ToCamera(view, mean, p_cam);
  ScreenSplat<float> s;
  const bool in_range = p_cam[2] > ctx.options.near_plane_m && p_cam[2] < ctx.options.far_plane_m;
  if (!in_range || !ProjectSplat(view, p_cam, m, ctx.options.eps2d, &s)) {
    Cull(ctx.splats, i);
    return;
  }
  const float sigmas[2] = {std::sqrt(s.variance[0]), std::sqrt(s.variance[1])};
  const int32_t radii[2] = {Radius(sigmas[0]), Radius(sigmas[1])};
  if (!TouchesImage(s, radii, ctx.cameras.width, ctx.cameras.height)) {
    Cull(ctx.splats, i);
    return;
  }
  const bool compensate = ctx.options.antialias == Antialias::kCompensate;
  std::copy_n(s.mean, 2, ctx.splats.means2d + 2 * i);
  std::copy_n(s.conic, 3, ctx.splats.conics + 3 * i);
  std::copy_n(sigmas, 2, ctx.splats.sigmas + 2 * i);
  std::copy_n(radii, 2, ctx.splats.radii + 2 * i);
  ctx.splats.depths[i] = s.depth;
  ctx.splats.compensations[i] = s.compensation;
  ctx.splats.opacities[i] = ctx.gaussians.opacities[g] * (compensate ? s.compensation : 1.0f);
  ShadeSplat(ctx.gaussians, view, mean, ctx.gaussians.colors + ctx.ColorStride() * g,
             ctx.splats.colors + 3 * i);
}

// Gradient sums of one Gaussian over its views.
struct GaussianGradSum {
  float mean[3] = {};
  float m[9] = {};
  float opacity = 0;
};

void AddColorGradient(const ProjectContext& ctx, const SplatGrads& grads,
                      const PinholeView<float>& view, int64_t g, int64_t i, float* out_colors,
                      GaussianGradSum* sum) {
  const float* grad_rgb = grads.colors + 3 * i;
  float* out = out_colors ? out_colors + ctx.ColorStride() * g : nullptr;
  if (ctx.gaussians.sh_degree < 0) {
    for (int c = 0; out != nullptr && c < 3; ++c) out[c] += grad_rgb[c];
    return;
  }
  float open[3], direction[3], grad_direction[3];
  for (int c = 0; c < 3; ++c) open[c] = ctx.splats.colors[3 * i + c] > 0 ? grad_rgb[c] : 0.0f;
  ViewDirection(view, ctx.gaussians.means + 3 * g, direction);
  ShColorBackward(ctx.gaussians.sh_degree, direction, ctx.gaussians.colors + ctx.ColorStride() * g,
                  open, grad_direction, out);
  for (int c = 0; c < 3; ++c) sum->mean[c] += grad_direction[c];
}

void BackwardOneView(const ProjectContext& ctx, const SplatGrads& grads,
                     const PinholeView<float>& view, int64_t g, int64_t i, const float* m,
                     float* out_colors, GaussianGradSum* sum) {
  if (ctx.splats.radii[2 * i] <= 0) return;
  float p_cam[3], grad_p_cam[3], grad_m[9];
  ToCamera(view, ctx.gaussians.means + 3 * g, p_cam);
  ScreenSplat<float> s;
  if (!ProjectSplat(view, p_cam, m, ctx.options.eps2d, &s)) return;
  ScreenSplatGrad<float> grad;
  std::copy_n(grads.means2d + 2 * i, 2, grad.mean);
  std::copy_n(grads.conics + 3 * i, 3, grad.conic);
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

void StoreGradient(const ProjectContext& ctx, const GaussianGradSum& sum, int64_t g,
                   const GaussianGrads& out) {
  float grad_quat[4], grad_scales[3];
  ScaledRotationBackward(ctx.gaussians.quats + 4 * g, ctx.gaussians.scales + 3 * g, sum.m,
                         grad_quat, grad_scales);
  for (int c = 0; out.means != nullptr && c < 3; ++c) out.means[3 * g + c] += sum.mean[c];
  for (int c = 0; out.quats != nullptr && c < 4; ++c) out.quats[4 * g + c] += grad_quat[c];
  for (int c = 0; out.scales != nullptr && c < 3; ++c) out.scales[3 * g + c] += grad_scales[c];
  if (out.opacities != nullptr) out.opacities[g] += sum.opacity;
}

bool Valid(const GaussianInputs& gaussians, const CameraInputs& cameras,
           const RenderOptions& options) {
  const int bases = (gaussians.sh_degree + 1) * (gaussians.sh_degree + 1);
  return gaussians.num_scenes >= 0 && gaussians.num_gaussians >= 0 &&
         gaussians.num_gaussians < (int64_t{1} << 31) && gaussians.sh_degree >= kDirectColors &&
         gaussians.sh_degree <= kMaxShDegree &&
         (gaussians.sh_degree < 0 || gaussians.sh_coefficients >= bases) &&
         cameras.views_per_scene >= 0 && cameras.width >= 0 && cameras.height >= 0 &&
         options.eps2d >= 0;
}

}  // namespace

KernelStatus ProjectGaussians(const GaussianInputs& gaussians, const CameraInputs& cameras,
                              const RenderOptions& options, const Splats& out,
                              const CpuContext& cpu) {
  if (!Valid(gaussians, cameras, options)) return KernelStatus::kInvalidArgument;
  const ProjectContext ctx = {gaussians, cameras, options, out};
  const int64_t n = gaussians.num_gaussians;
  for (int64_t v = 0; v < gaussians.num_scenes * cameras.views_per_scene; ++v) {
    const int64_t scene = v / cameras.views_per_scene;
    const PinholeView<float> view = ctx.View(v);
    ParallelFor(cpu.pool, n, kGaussianGrain, [&](int64_t begin, int64_t end) {
      for (int64_t j = begin; j < end; ++j) {
        const int64_t g = scene * n + j;
        float rotation[9], m[9];
        QuatToRotation(gaussians.quats + 4 * g, rotation);
        ScaledRotation(rotation, gaussians.scales + 3 * g, m);
        ProjectOne(ctx, view, g, v * n + j, m);
      }
    });
  }
  return KernelStatus::kOk;
}

KernelStatus ProjectGaussiansBackward(const GaussianInputs& gaussians, const CameraInputs& cameras,
                                      const RenderOptions& options, const Splats& splats,
                                      const SplatGrads& grads, const GaussianGrads& out,
                                      const CpuContext& cpu) {
  if (!Valid(gaussians, cameras, options)) return KernelStatus::kInvalidArgument;
  const ProjectContext ctx = {gaussians, cameras, options, splats};
  const int64_t n = gaussians.num_gaussians;
  std::vector<PinholeView<float>> views;
  for (int64_t v = 0; v < gaussians.num_scenes * cameras.views_per_scene; ++v) {
    views.push_back(ctx.View(v));
  }
  ParallelFor(cpu.pool, gaussians.num_scenes * n, kGaussianGrain, [&](int64_t begin, int64_t end) {
    for (int64_t g = begin; g < end; ++g) {
      float rotation[9], m[9];
      QuatToRotation(gaussians.quats + 4 * g, rotation);
      ScaledRotation(rotation, gaussians.scales + 3 * g, m);
      GaussianGradSum sum;
      bool visible = false;
      for (int64_t p = 0; p < cameras.views_per_scene; ++p) {
        const int64_t v = g / n * cameras.views_per_scene + p;
        const int64_t i = v * n + g % n;
        visible |= splats.radii[2 * i] > 0;
        BackwardOneView(ctx, grads, views[v], g, i, m, out.colors, &sum);
      }
      if (visible) StoreGradient(ctx, sum, g, out);
    }
  });
  return KernelStatus::kOk;
}

}  // namespace gwm::kernels
