// RMSNorm with adaptive shift and scale, fused with the gated residual of the branch before it.
#ifndef GWM_KERNELS_NORM_MODULATE_H_
#define GWM_KERNELS_NORM_MODULATE_H_

#include <cstdint>

#include "kernels/simd.h"
#include "kernels/status.h"

namespace gwm::kernels {

// R rows of width D; rows [c * rows_per_condition, (c + 1) * rows_per_condition) share condition c.
struct NormModulateArgs {
  const float* x = nullptr;       // [R, D]
  const float* branch = nullptr;  // [R, D]; null = no residual
  const float* gate = nullptr;    // [conditions, D] factor on branch; null = 1
  const float* weight = nullptr;  // [D] gain; null = 1
  const float* scale = nullptr;   // [conditions, D]; null = 0
  const float* shift = nullptr;   // [conditions, D]; null = 0
  int64_t rows = 0;               // R
  int64_t width = 0;              // D >= 1
  int64_t rows_per_condition = 1;
  float eps = 1e-6f;
  float* residual = nullptr;  // out [R, D]: h = x + gate * branch; may be x; null = not wanted
  float* out = nullptr;       // [R, D]: h / sqrt(mean(h^2) + eps) * weight * (1 + scale) + shift
};

// One read and one write per array. The sum of squares has a fixed order of 16 partial sums: same
// bits at every level.
KernelStatus NormModulate(const NormModulateArgs& args, const CpuContext& cpu = {});

// Agrees with the CPU to rounding (its reduction tree differs).
KernelStatus NormModulateCuda(const NormModulateArgs& args, GpuStream stream);

}  // namespace gwm::kernels

#endif  // GWM_KERNELS_NORM_MODULATE_H_
