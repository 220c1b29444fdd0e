// Nearest neighbour by squared Euclidean distance and its gradient: the two halves of the Chamfer
// loss.
//
// Chamfer (pytorch3d): per direction the mean of the squared distances over the points, both
// directions added, mean over the batch. Call NearestNeighbours once per direction; the weight 1 /
// (points * batch) goes into grad_sqdist.
#ifndef GWM_KERNELS_NEAREST_H_
#define GWM_KERNELS_NEAREST_H_

#include <cstdint>

#include "kernels/simd.h"
#include "kernels/status.h"

namespace gwm::kernels {

struct NearestArgs {
  const float* queries = nullptr;           // [B, N, D] contiguous, finite
  const float* targets = nullptr;           // [B, M, D] contiguous, finite
  const int64_t* query_lengths = nullptr;   // [B] in 0..N; null = N
  const int64_t* target_lengths = nullptr;  // [B] in 0..M; null = M
  int64_t batch = 0;                        // B
  int64_t num_queries = 0;                  // N
  int64_t num_targets = 0;                  // M
  int64_t dims = 3;                         // D >= 1
  float* sqdist = nullptr;                  // out [B, N]; 0 beyond the length or without targets
  int64_t* index =
      nullptr;  // out [B, N] lowest index on ties; -1 beyond the length or without targets
};

// Small clouds by brute force, O(N M D). Others along a Z curve (of the first three columns) with
// boxes over the targets: the same answers, bit for bit, in about O((N + M) D) for clouds that lie
// close to each other; far from the targets, or in many dimensions, more boxes must be opened.
// Memory O((N + M) D).
KernelStatus NearestNeighbours(const NearestArgs& args, const CpuContext& cpu = {});

// The same with device pointers; brute force.
KernelStatus NearestNeighboursCuda(const NearestArgs& args, GpuStream stream);

struct NearestBackwardArgs {
  const float* queries = nullptr;      // [B, N, D]
  const float* targets = nullptr;      // [B, M, D]
  const int64_t* index = nullptr;      // [B, N] of the forward pass; -1 = no gradient
  const float* grad_sqdist = nullptr;  // [B, N]
  int64_t batch = 0;
  int64_t num_queries = 0;
  int64_t num_targets = 0;
  int64_t dims = 3;
  float* grad_queries = nullptr;  // accumulated into [B, N, D]; null = not wanted
  float* grad_targets = nullptr;  // accumulated into [B, M, D]; null = not wanted
};

// grad_queries[i] += 2 g_i (q_i - t_j), grad_targets[j] -= the same, in the order of i:
// deterministic.
KernelStatus NearestBackward(const NearestBackwardArgs& args, const CpuContext& cpu = {});

// The same with device pointers. The target side scans the index list once per target instead of
// using atomics.
KernelStatus NearestBackwardCuda(const NearestBackwardArgs& args, GpuStream stream);

}  // namespace gwm::kernels

#endif  // GWM_KERNELS_NEAREST_H_
