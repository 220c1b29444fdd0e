// Rotary position embedding: tables and application.
#ifndef GWM_KERNELS_ROPE_H_
#define GWM_KERNELS_ROPE_H_

#include <cstdint>

#include "kernels/simd.h"
#include "kernels/status.h"

namespace gwm::kernels {

enum class RopeLayout {
  kHalfSplit,    // pairs (i, i + D/2): Llama, Qwen
  kInterleaved,  // pairs (2i, 2i + 1): GPT-J
};

// out [head_dim / 2]: theta^(-2 i / head_dim).
void RopeFrequencies(double theta, int64_t head_dim, float* out);

struct RopeTableArgs {
  const float* positions = nullptr;    // [axes, R]; R = batch * tokens rows, fractions allowed
  const float* frequencies = nullptr;  // [bands] rad per unit of position
  const int32_t* band_axis = nullptr;  // [bands] axis of each band, in [0, axes); null = axis 0
  int64_t rows = 0;                    // R
  int64_t bands = 0;                   // head_dim / 2
  int64_t axes = 1;
  float* cos = nullptr;  // out [R, bands]
  float* sin = nullptr;  // out [R, bands]
};

// angle = positions[band_axis[i]][row] * frequencies[i], evaluated in double.
KernelStatus RopeTable(const RopeTableArgs& args, const CpuContext& cpu = {});

struct RopeApplyArgs {
  const float* x = nullptr;    // [B, heads, T, D]
  const float* cos = nullptr;  // [B, T, D/2]
  const float* sin = nullptr;  // [B, T, D/2]
  int64_t batch = 0;
  int64_t heads = 0;
  int64_t tokens = 0;    // T
  int64_t head_dim = 0;  // D, even
  RopeLayout layout = RopeLayout::kHalfSplit;
  float* out = nullptr;  // [B, heads, T, D]; may be x
};

// Each pair (u, v) becomes (u cos - v sin, v cos + u sin). The inverse rotation (= the gradient) is
// sin negated.
KernelStatus RopeApply(const RopeApplyArgs& args, const CpuContext& cpu = {});

KernelStatus RopeTableCuda(const RopeTableArgs& args, GpuStream stream);
KernelStatus RopeApplyCuda(const RopeApplyArgs& args, GpuStream stream);

}  // namespace gwm::kernels

#endif  // GWM_KERNELS_ROPE_H_
