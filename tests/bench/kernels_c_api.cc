#include "tests/bench/kernels_c_api.h"

#include <algorithm>
#include <memory>
#include <vector>

#include "kernels/fps.h"
#include "kernels/nearest.h"
#include "kernels/norm_modulate.h"
#include "kernels/parallel.h"
#include "kernels/render.h"

using gwm::kernels::CpuContext;
using gwm::kernels::KernelStatus;
using gwm::kernels::SimdLevel;
using gwm::kernels::ThreadPool;

struct GwmBenchContext {
  explicit GwmBenchContext(int threads, SimdLevel level) : pool(threads) {
    cpu = {.simd = level, .pool = threads > 1 ? &pool : nullptr};
  }
  ThreadPool pool;
  CpuContext cpu;
  std::vector<float> floats;
  gwm::kernels::RenderScratch render;
};

namespace {

int Code(KernelStatus status) { return static_cast<int>(status); }

gwm::kernels::GaussianInputs InputsOf(const GwmBenchScene& scene) {
  return {.means = scene.means,
          .quats = scene.quats,
          .scales = scene.scales,
          .opacities = scene.opacities,
          .colors = scene.colors,
          .num_gaussians = scene.gaussians};
}

gwm::kernels::CameraInputs CameraOf(const GwmBenchScene& scene) {
  return {.viewmats = scene.viewmat,
          .intrinsics = scene.intrinsics,
          .width = scene.width,
          .height = scene.height};
}

}  // namespace

extern "C" {

GwmBenchContext* GwmBenchOpen(int threads, int level) {
  const auto levels = gwm::kernels::SupportedSimdLevels();
  const SimdLevel wanted =
      level < 0 ? gwm::kernels::DetectSimdLevel() : static_cast<SimdLevel>(level);
  if (std::find(levels.begin(), levels.end(), wanted) == levels.end()) return nullptr;
  return std::make_unique<GwmBenchContext>(threads, wanted).release();
}

void GwmBenchClose(GwmBenchContext* context) { std::unique_ptr<GwmBenchContext> owned(context); }

const char* GwmBenchLevel(const GwmBenchContext* context) {
  return gwm::kernels::SimdLevelName(context->cpu.simd);
}

int GwmBenchFps(GwmBenchContext* context, const float* points, int64_t n, int64_t k,
                int64_t* indices) {
  const gwm::kernels::FpsArgs args{
      .points = points, .batch = 1, .num_points = n, .num_samples = k, .indices = indices};
  context->floats.resize(static_cast<size_t>(gwm::kernels::FpsScratchFloats(args)));
  return Code(gwm::kernels::FarthestPointSample(args, context->floats.data(), context->cpu));
}

int GwmBenchNearest(GwmBenchContext* context, const float* queries, const float* targets,
                    int64_t batch, int64_t n, int64_t m, float* sqdist, int64_t* index) {
  return Code(gwm::kernels::NearestNeighbours({.queries = queries,
                                               .targets = targets,
                                               .batch = batch,
                                               .num_queries = n,
                                               .num_targets = m,
                                               .sqdist = sqdist,
                                               .index = index},
                                              context->cpu));
}

int GwmBenchNearestBackward(GwmBenchContext* context, const float* queries, const float* targets,
                            const int64_t* index, const float* grad_sqdist, int64_t batch,
                            int64_t n, int64_t m, float* grad_queries, float* grad_targets) {
  return Code(gwm::kernels::NearestBackward({.queries = queries,
                                             .targets = targets,
                                             .index = index,
                                             .grad_sqdist = grad_sqdist,
                                             .batch = batch,
                                             .num_queries = n,
                                             .num_targets = m,
                                             .grad_queries = grad_queries,
                                             .grad_targets = grad_targets},
                                            context->cpu));
}

int GwmBenchRender(GwmBenchContext* context, const GwmBenchScene* scene, float* rgb, float* alpha,
                   float* depth) {
  return Code(gwm::kernels::RenderForward(InputsOf(*scene), CameraOf(*scene), {}, nullptr,
                                          {.rgb = rgb, .alpha = alpha, .depth = depth},
                                          &context->render, context->cpu));
}

int GwmBenchRenderBackward(GwmBenchContext* context, const GwmBenchScene* scene,
                           const float* grad_rgb, const GwmBenchSceneGrads* out) {
  return Code(gwm::kernels::RenderBackward(InputsOf(*scene), CameraOf(*scene), {}, nullptr,
                                           {.rgb = grad_rgb},
                                           {.means = out->means,
                                            .quats = out->quats,
                                            .scales = out->scales,
                                            .opacities = out->opacities,
                                            .colors = out->colors},
                                           nullptr, &context->render, context->cpu));
}

int GwmBenchNormModulate(GwmBenchContext* context, const GwmBenchNorm* norm) {
  return Code(gwm::kernels::NormModulate({.x = norm->x,
                                          .branch = norm->branch,
                                          .gate = norm->gate,
                                          .weight = norm->weight,
                                          .scale = norm->scale,
                                          .shift = norm->shift,
                                          .rows = norm->rows,
                                          .width = norm->width,
                                          .rows_per_condition = norm->rows,
                                          .residual = norm->residual,
                                          .out = norm->out},
                                         context->cpu));
}

}  // extern "C"
