// Launch helpers of the .cu files: caller's stream, no allocation, no synchronisation. Internal.
//
// Every launch goes through here and no .cu file writes <<<>>>: tests/kernels/cuda_on_cpu compiles
// the same files as C++.
#ifndef GWM_KERNELS_CUDA_LAUNCH_H_
#define GWM_KERNELS_CUDA_LAUNCH_H_

#include <cuda_runtime.h>

#include <algorithm>
#include <cstdint>

#include "kernels/status.h"

namespace gwm::kernels {

inline constexpr int kBlockThreads = 256;
inline constexpr int kWarpThreads = 32;
inline constexpr unsigned kAllLanes = 0xFFFFFFFFu;

// Enough blocks for a grid-stride loop over n elements, bounded so that huge arrays loop.
inline int64_t GridFor(int64_t n) {
  return std::min<int64_t>((n + kBlockThreads - 1) / kBlockThreads, 65535);
}

// kLaunchFailed also when there is no driver or no device: the runtime reports it at the launch.
inline KernelStatus CheckLaunch() {
  return cudaGetLastError() == cudaSuccess ? KernelStatus::kOk : KernelStatus::kLaunchFailed;
}

// `blocks` in 1..2^31 - 1, `threads` per block a multiple of 32.
template <typename... Parameters, typename... Args>
KernelStatus Launch(void (*kernel)(Parameters...), int64_t blocks, int threads, GpuStream stream,
                    Args... args) {
  cudaLaunchConfig_t config = {};
  config.gridDim = dim3(static_cast<unsigned>(blocks));
  config.blockDim = dim3(static_cast<unsigned>(threads));
  config.stream = stream;
  static_cast<void>(cudaLaunchKernelEx(&config, kernel, static_cast<Parameters>(args)...));
  return CheckLaunch();
}

__device__ inline int64_t GridIndex() {
  return static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
}
__device__ inline int64_t GridSize() { return static_cast<int64_t>(gridDim.x) * blockDim.x; }

}  // namespace gwm::kernels

#endif  // GWM_KERNELS_CUDA_LAUNCH_H_
