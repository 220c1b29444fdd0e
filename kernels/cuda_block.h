// What the threads of a warp or a block do together. Internal to the .cu files.
#ifndef GWM_KERNELS_CUDA_BLOCK_H_
#define GWM_KERNELS_CUDA_BLOCK_H_

#include "kernels/cuda_launch.h"

namespace gwm::kernels {

__device__ inline int LaneId() { return static_cast<int>(threadIdx.x % kWarpThreads); }
__device__ inline int WarpId() { return static_cast<int>(threadIdx.x / kWarpThreads); }

// Lanes below this one, as a mask.
__device__ inline unsigned LowerLanes() { return (1u << LaneId()) - 1u; }

// Part `part` of [0, n) cut into `parts` pieces.
struct IndexRange {
  int64_t begin, end;
};
__device__ inline IndexRange PartOf(int64_t n, int part, int parts) {
  const int64_t size = (n + parts - 1) / parts;
  return {min(part * size, n), min((part + 1) * size, n)};
}

template <typename T>
struct ScanResult {
  T before;  // sum of the values of the threads in front of this one
  T total;   // sum over the block
};

// warp_totals: shared, [32], free again after the next barrier of the block.
template <typename T>
__device__ ScanResult<T> ScanBlock(T value, T* warp_totals) {
  T inclusive = value;
  for (int offset = 1; offset < kWarpThreads; offset *= 2) {
    const T other = __shfl_up_sync(kAllLanes, inclusive, offset);
    if (LaneId() >= offset) inclusive += other;
  }
  __syncthreads();  // an earlier scan's totals have been read
  if (LaneId() == kWarpThreads - 1) warp_totals[WarpId()] = inclusive;
  __syncthreads();
  ScanResult<T> result = {inclusive - value, T(0)};
  const int warps = static_cast<int>(blockDim.x) / kWarpThreads;
  for (int warp = 0; warp < warps; ++warp) {
    if (warp == WarpId()) result.before += result.total;
    result.total += warp_totals[warp];
  }
  return result;
}

}  // namespace gwm::kernels

#endif  // GWM_KERNELS_CUDA_BLOCK_H_
