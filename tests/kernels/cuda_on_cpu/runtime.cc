// The host side of the CUDA runtime, on the CPU.
#include <cstdio>
#include <cstdlib>

#include "tests/kernels/cuda_on_cpu/include/cuda_runtime.h"

namespace {
cudaError_t g_last_error = cudaSuccess;
}  // namespace

cudaError_t cudaGetLastError() {
  const cudaError_t error = g_last_error;
  g_last_error = cudaSuccess;
  return error;
}

cudaError_t cudaGetDeviceCount(int* count) {
  *count = 1;
  return cudaSuccess;
}

cudaError_t cudaMalloc(void** data, size_t bytes) {
  *data = std::malloc(bytes);
  std::memset(*data, 0xFF, bytes);
  return cudaSuccess;
}

cudaError_t cudaFree(void* data) {
  std::free(data);
  return cudaSuccess;
}

cudaError_t cudaMemcpy(void* to, const void* from, size_t bytes, cudaMemcpyKind) {
  if (bytes > 0) std::memcpy(to, from, bytes);
  return cudaSuccess;
}

cudaError_t LaunchOnCpu(const cudaLaunchConfig_t& config, const std::function<void()>& thread) {
  gwm::cuda_on_cpu::LaunchShape shape = {config.gridDim.x, config.blockDim.x, 1};
  if (config.numAttrs > 0) shape.cluster = config.attrs[0].val.clusterDim.x;
  const std::string fault = shape.cluster > 1 && shape.cluster > g_largest_cluster
                                ? "the device takes no such cluster"
                                : RunKernel(shape, thread);
  if (fault.empty()) return cudaSuccess;
  std::fprintf(stderr, "kernel fault: %s\n", fault.c_str());
  g_last_error = cudaErrorLaunchFailure;
  return g_last_error;
}
