// The CPU kernels behind a C border, for the harness to call through ctypes. All arrays are
// contiguous and borrowed for the call; every function returns 0 on success, else a KernelStatus.
#ifndef GWM_TESTS_BENCH_KERNELS_C_API_H_
#define GWM_TESTS_BENCH_KERNELS_C_API_H_

#include <cstdint>

#define GWM_BENCH_EXPORT __attribute__((visibility("default")))

extern "C" {

// Threads, instruction set and scratch memory of a run. Not thread-safe.
struct GwmBenchContext;

// level: 0 scalar, 1 AVX2, 2 AVX-512, -1 the best one. Null when it does not run here.
GWM_BENCH_EXPORT GwmBenchContext* GwmBenchOpen(int threads, int level);
GWM_BENCH_EXPORT void GwmBenchClose(GwmBenchContext* context);
GWM_BENCH_EXPORT const char* GwmBenchLevel(const GwmBenchContext* context);

// points [N, 3] -> indices [K], from index 0.
GWM_BENCH_EXPORT int GwmBenchFps(GwmBenchContext* context, const float* points, int64_t n,
                                 int64_t k, int64_t* indices);

// queries [B, N, 3], targets [B, M, 3] -> sqdist, index [B, N].
GWM_BENCH_EXPORT int GwmBenchNearest(GwmBenchContext* context, const float* queries,
                                     const float* targets, int64_t batch, int64_t n, int64_t m,
                                     float* sqdist, int64_t* index);

// Accumulates into grad_queries [B, N, 3] and grad_targets [B, M, 3].
GWM_BENCH_EXPORT int GwmBenchNearestBackward(GwmBenchContext* context, const float* queries,
                                             const float* targets, const int64_t* index,
                                             const float* grad_sqdist, int64_t batch, int64_t n,
                                             int64_t m, float* grad_queries, float* grad_targets);

// One scene of N Gaussians with plain colours seen by one camera; units as in kernels/project.h.
struct GwmBenchScene {
  const float* means;       // [N, 3]
  const float* quats;       // [N, 4]
  const float* scales;      // [N, 3]
  const float* opacities;   // [N]
  const float* colors;      // [N, 3]
  const float* viewmat;     // [4, 4]
  const float* intrinsics;  // [3, 3]
  int64_t gaussians;        // N
  int width;
  int height;
};

// rgb [H, W, 3], alpha and depth [H, W]. eps2d 0.3, black background.
GWM_BENCH_EXPORT int GwmBenchRender(GwmBenchContext* context, const GwmBenchScene* scene,
                                    float* rgb, float* alpha, float* depth);

// After GwmBenchRender of the same scene: gradients of the sum of grad_rgb * rgb, accumulated.
struct GwmBenchSceneGrads {
  float* means;
  float* quats;
  float* scales;
  float* opacities;
  float* colors;
};
GWM_BENCH_EXPORT int GwmBenchRenderBackward(GwmBenchContext* context, const GwmBenchScene* scene,
                                            const float* grad_rgb, const GwmBenchSceneGrads* out);

// One condition for all R rows of width D. residual = x + gate * branch;
// out = residual / rms(residual) * weight * (1 + scale) + shift.
struct GwmBenchNorm {
  const float* x;       // [R, D]
  const float* branch;  // [R, D]
  const float* gate;    // [D]
  const float* weight;  // [D]
  const float* scale;   // [D]
  const float* shift;   // [D]
  int64_t rows;
  int64_t width;
  float* residual;  // [R, D]
  float* out;       // [R, D]
};
GWM_BENCH_EXPORT int GwmBenchNormModulate(GwmBenchContext* context, const GwmBenchNorm* norm);

}  // extern "C"

#endif  // GWM_TESTS_BENCH_KERNELS_C_API_H_
