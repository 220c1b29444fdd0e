#include <vector>

#include "kernels/parallel.h"
#include "kernels/project.h"
#include "kernels/project_math.h"

namespace gwm::kernels {
namespace {

constexpr int64_t kGaussianGrain = 256;

}  // namespace

KernelStatus ProjectGaussians(const GaussianInputs& gaussians, const CameraInputs& cameras,
                              const RenderOptions& options, const Splats& out,
                              const CpuContext& cpu) {
  if (!ValidProjection(gaussians, cameras, options)) return KernelStatus::kInvalidArgument;
  const ProjectContext ctx = {gaussians, cameras, options, out};
  const int64_t n = gaussians.num_gaussians;
  for (int64_t v = 0; v < gaussians.num_scenes * cameras.views_per_scene; ++v) {
    const int64_t scene = v / cameras.views_per_scene;
    const PinholeView<float> view = ViewOf(cameras, v);
    ParallelFor(cpu.pool, n, kGaussianGrain, [&](int64_t begin, int64_t end) {
      for (int64_t j = begin; j < end; ++j) ProjectOne(ctx, view, scene * n + j, v * n + j);
    });
  }
  return KernelStatus::kOk;
}

KernelStatus ProjectGaussiansBackward(const GaussianInputs& gaussians, const CameraInputs& cameras,
                                      const RenderOptions& options, const Splats& splats,
                                      const SplatGrads& grads, const GaussianGrads& out,
                                      const CpuContext& cpu) {
  if (!ValidProjection(gaussians, cameras, options)) return KernelStatus::kInvalidArgument;
  const ProjectContext ctx = {gaussians, cameras, options, splats};
  const int64_t n = gaussians.num_gaussians;
  std::vector<PinholeView<float>> views;
  for (int64_t v = 0; v < gaussians.num_scenes * cameras.views_per_scene; ++v) {
    views.push_back(ViewOf(cameras, v));
  }
  ParallelFor(cpu.pool, gaussians.num_scenes * n, kGaussianGrain, [&](int64_t begin, int64_t end) {
    for (int64_t g = begin; g < end; ++g) {
      float m[9];
      ShapeOf(gaussians, g, m);
      GaussianGradSum sum;
      bool visible = false;
      for (int64_t p = 0; p < cameras.views_per_scene; ++p) {
        const int64_t v = g / n * cameras.views_per_scene + p;
        const int64_t i = v * n + g % n;
        if (splats.radii[2 * i] <= 0) continue;
        visible = true;
        AddViewGradient(ctx, grads, views[v], g, i, m, out.colors, &sum);
      }
      if (visible) AddGaussianGradient(gaussians, sum, g, out);
    }
  });
  return KernelStatus::kOk;
}

}  // namespace gwm::kernels
