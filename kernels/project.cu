// Forward: one thread per (view, Gaussian). Backward: one thread per Gaussian, its views in index
// order.
#include "kernels/cuda_launch.h"
#include "kernels/project.h"
#include "kernels/project_math.h"

namespace gwm::kernels {
namespace {

// The degree is a constant of the kernel, so that its arrays of bases stay in registers.
template <int degree>
__global__ void ProjectKernel(ProjectContext ctx, int64_t views) {
  ctx.gaussians.sh_degree = degree;
  const int64_t n = ctx.gaussians.num_gaussians;
  for (int64_t i = GridIndex(); i < views * n; i += GridSize()) {
    const int64_t v = i / n;
    const int64_t g = v / ctx.cameras.views_per_scene * n + i % n;
    ProjectOne(ctx, ViewOf(ctx.cameras, v), g, i);
  }
}

template <int degree>
__global__ void ProjectBackwardKernel(ProjectContext ctx, SplatGrads grads, GaussianGrads out) {
  ctx.gaussians.sh_degree = degree;
  const int64_t n = ctx.gaussians.num_gaussians;
  for (int64_t g = GridIndex(); g < ctx.gaussians.num_scenes * n; g += GridSize()) {
    float m[9];
    ShapeOf(ctx.gaussians, g, m);
    GaussianGradSum sum;
    bool visible = false;
    for (int64_t p = 0; p < ctx.cameras.views_per_scene; ++p) {
      const int64_t v = g / n * ctx.cameras.views_per_scene + p;
      const int64_t i = v * n + g % n;
      if (ctx.splats.radii[2 * i] <= 0) continue;
      visible = true;
      AddViewGradient(ctx, grads, ViewOf(ctx.cameras, v), g, i, m, out.colors, &sum);
    }
    if (visible) AddGaussianGradient(ctx.gaussians, sum, g, out);
  }
}

using ForwardFunction = void (*)(ProjectContext, int64_t);
using BackwardFunction = void (*)(ProjectContext, SplatGrads, GaussianGrads);

// By degree + 1.
constexpr ForwardFunction kForward[] = {ProjectKernel<-1>, ProjectKernel<0>, ProjectKernel<1>,
                                        ProjectKernel<2>,  ProjectKernel<3>, ProjectKernel<4>};
constexpr BackwardFunction kBackward[] = {ProjectBackwardKernel<-1>, ProjectBackwardKernel<0>,
                                          ProjectBackwardKernel<1>,  ProjectBackwardKernel<2>,
                                          ProjectBackwardKernel<3>,  ProjectBackwardKernel<4>};

}  // namespace

KernelStatus ProjectGaussiansCuda(const GaussianInputs& gaussians, const CameraInputs& cameras,
                                  const RenderOptions& options, const Splats& out,
                                  GpuStream stream) {
  if (!ValidProjection(gaussians, cameras, options)) return KernelStatus::kInvalidArgument;
  const int64_t views = gaussians.num_scenes * cameras.views_per_scene;
  if (views * gaussians.num_gaussians == 0) return KernelStatus::kOk;
  const ProjectContext ctx = {gaussians, cameras, options, out};
  return Launch(kForward[gaussians.sh_degree + 1], GridFor(views * gaussians.num_gaussians),
                kBlockThreads, stream, ctx, views);
}

KernelStatus ProjectGaussiansBackwardCuda(const GaussianInputs& gaussians,
                                          const CameraInputs& cameras, const RenderOptions& options,
                                          const Splats& splats, const SplatGrads& grads,
                                          const GaussianGrads& out, GpuStream stream) {
  if (!ValidProjection(gaussians, cameras, options)) return KernelStatus::kInvalidArgument;
  const int64_t n = gaussians.num_scenes * gaussians.num_gaussians;
  if (n == 0) return KernelStatus::kOk;
  const ProjectContext ctx = {gaussians, cameras, options, splats};
  return Launch(kBackward[gaussians.sh_degree + 1], GridFor(n), kBlockThreads, stream, ctx, grads,
                out);
}

}  // namespace gwm::kernels
