// Farthest point sampling, exact: the order of pytorch3d's sample_farthest_points.
//
//   picked[0] = start;  picked[k] = argmax_i min_{j < k} |p_i - p_picked[j]|^2, the lowest index on
//   ties.
//
// Distances are float32, summed over the columns from first to last without FMA, so CPU levels and
// CUDA agree on every index. When only zero distances remain, index 0 is picked again.
#ifndef GWM_KERNELS_FPS_H_
#define GWM_KERNELS_FPS_H_

#include <cstdint>

#include "kernels/simd.h"
#include "kernels/status.h"

namespace gwm::kernels {

struct FpsArgs {
  const float* points = nullptr;     // [B, N, D] contiguous, finite
  const int64_t* lengths = nullptr;  // [B] in 0..N valid points of each cloud; null = N
  const int64_t* counts = nullptr;   // [B] in 0..K samples wanted of each cloud; null = K
  int64_t batch = 0;                 // B
  int64_t num_points = 0;            // N
  int64_t dims = 3;                  // D >= 1
  int64_t num_samples = 0;           // K
  int64_t start = 0;                 // first index, in [0, length of every non-empty cloud)
  int64_t* indices = nullptr;        // out [B, K]; -1 beyond min(count, length)
};

// Floats of scratch that either version needs; about N (D + 1), in three dimensions 6 N, per cloud.
int64_t FpsScratchFloats(const FpsArgs& args);

// O(B K N D); many points in three dimensions are sorted into boxes, most of which a new sample
// passes over: the same indices in about O(B N (1 + log K)). One thread per cloud.
// kInvalidArgument when a size is negative or `start` is outside a non-empty cloud.
KernelStatus FarthestPointSample(const FpsArgs& args, float* scratch, const CpuContext& cpu = {});

// The same with device pointers (lengths and counts too). `start` is clamped to each cloud's
// length.
KernelStatus FarthestPointSampleCuda(const FpsArgs& args, float* scratch, GpuStream stream);

}  // namespace gwm::kernels

#endif  // GWM_KERNELS_FPS_H_
