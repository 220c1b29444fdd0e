// Launch helpers of the .cu files: caller's stream, no allocation, no synchronisation. Internal.
#ifndef GWM_KERNELS_CUDA_LAUNCH_H_
#define GWM_KERNELS_CUDA_LAUNCH_H_

#include <cuda_runtime.h>

#include <algorithm>
#include <cstdint>

#include "kernels/status.h"

namespace gwm::kernels {

inline constexpr int kBlockThreads = 256;

// Enough blocks for a grid-stride loop over n elements, bounded so that huge arrays loop.
inline unsigned GridFor(int64_t n) {
  return static_cast<unsigned>(std::min<int64_t>((n + kBlockThreads - 1) / kBlockThreads, 65535));
}

// kLaunchFailed also when there is no driver or no device: the runtime reports it at the launch.
inline KernelStatus CheckLaunch() {
  return cudaGetLastError() == cudaSuccess ? KernelStatus::kOk : KernelStatus::kLaunchFailed;
}

#ifdef __CUDACC__
__device__ inline int64_t GridIndex() {
  return static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
}
__device__ inline int64_t GridSize() { return static_cast<int64_t>(gridDim.x) * blockDim.x; }
#endif

}  // namespace gwm::kernels

#endif  // GWM_KERNELS_CUDA_LAUNCH_H_
