// The part of CUDA that our .cu files use, for a C++ compiler: they find this header in place of
// NVIDIA's and run on the CPU (scheduler.h). Names and meanings are those of the CUDA C++
// Programming Guide.
#ifndef GWM_TESTS_KERNELS_CUDA_ON_CPU_INCLUDE_CUDA_RUNTIME_H_
#define GWM_TESTS_KERNELS_CUDA_ON_CPU_INCLUDE_CUDA_RUNTIME_H_

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <type_traits>

#include "tests/kernels/cuda_on_cpu/scheduler.h"

#define __global__
#define __device__
#define __host__
#define __launch_bounds__(...)
// One variable for all blocks: the scheduler runs one block at a time and gives each its own
// contents.
// Not in templates: GCC leaves their variables out of the section (distributed shared memory faults
// then).
#define __shared__ static __attribute__((section("gwm_cuda_shared")))

struct uint3 {
  unsigned x, y, z;
};
struct alignas(16) uint4 {
  unsigned x, y, z, w;
};
struct alignas(16) float4 {
  float x, y, z, w;
};
struct alignas(4) uchar4 {
  unsigned char x, y, z, w;
};
struct dim3 {
  unsigned x = 1, y = 1, z = 1;
  dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};

inline uint3 threadIdx, blockIdx;
inline dim3 blockDim, gridDim;

// --- What a kernel may call
// -------------------------------------------------------------------------------------------

inline void __syncthreads() { gwm::cuda_on_cpu::WaitForBlock("__syncthreads"); }
inline void __syncwarp(unsigned mask = 0xFFFFFFFFu) {
  gwm::cuda_on_cpu::RequireFullWarp(mask, "__syncwarp");
  gwm::cuda_on_cpu::WaitForWarp("__syncwarp");
}
inline int __syncthreads_count(int predicate) {
  return gwm::cuda_on_cpu::CountInBlock(predicate != 0, "__syncthreads_count");
}

// The value of each lane of the warp, once all have arrived at the same operation.
template <typename T>
struct WarpValues {
  const uint64_t* lanes;
  WarpValues(unsigned mask, T value, const char* operation) {
    static_assert(sizeof(T) <= sizeof(uint64_t));
    gwm::cuda_on_cpu::RequireFullWarp(mask, operation);
    uint64_t bits = 0;
    std::memcpy(&bits, &value, sizeof(T));
    lanes = gwm::cuda_on_cpu::ExchangeInWarp(bits, operation);
  }
  T operator[](unsigned lane) const {
    T value;
    std::memcpy(&value, lanes + lane % 32, sizeof(T));
    return value;
  }
};
inline unsigned LaneOfThread() { return threadIdx.x % 32; }

template <typename T>
T __shfl_sync(unsigned mask, T value, int source) {
  return WarpValues<T>(mask, value, "__shfl_sync")[static_cast<unsigned>(source)];
}
template <typename T>
T __shfl_xor_sync(unsigned mask, T value, int lane_mask) {
  return WarpValues<T>(mask, value,
                       "__shfl_xor_sync")[LaneOfThread() ^ static_cast<unsigned>(lane_mask)];
}
template <typename T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta) {
  const WarpValues<T> values(mask, value, "__shfl_up_sync");
  return LaneOfThread() < delta ? value : values[LaneOfThread() - delta];
}
template <typename T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta) {
  const WarpValues<T> values(mask, value, "__shfl_down_sync");
  return LaneOfThread() + delta > 31 ? value : values[LaneOfThread() + delta];
}
inline unsigned __ballot_sync(unsigned mask, int predicate) {
  const WarpValues<int> values(mask, predicate, "__ballot_sync");
  unsigned ballot = 0;
  for (unsigned lane = 0; lane < 32; ++lane)
    ballot |= static_cast<unsigned>(values[lane] != 0) << lane;
  return ballot;
}
template <typename T>
unsigned __match_any_sync(unsigned mask, T value) {
  const WarpValues<T> values(mask, value, "__match_any_sync");
  unsigned peers = 0;
  for (unsigned lane = 0; lane < 32; ++lane)
    peers |= static_cast<unsigned>(values[lane] == value) << lane;
  return peers;
}
inline unsigned __reduce_max_sync(unsigned mask, unsigned value) {
  const WarpValues<unsigned> values(mask, value, "__reduce_max_sync");
  for (unsigned lane = 0; lane < 32; ++lane) value = values[lane] > value ? values[lane] : value;
  return value;
}
inline unsigned __reduce_min_sync(unsigned mask, unsigned value) {
  const WarpValues<unsigned> values(mask, value, "__reduce_min_sync");
  for (unsigned lane = 0; lane < 32; ++lane) value = values[lane] < value ? values[lane] : value;
  return value;
}

inline int __popc(unsigned bits) { return __builtin_popcount(bits); }
inline int __ffs(int bits) { return __builtin_ffs(bits); }
inline unsigned __float_as_uint(float value) {
  unsigned bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return bits;
}
inline float __uint_as_float(unsigned bits) {
  float value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}
template <typename T>
T min(T a, T b) {
  return b < a ? b : a;
}
template <typename T>
T max(T a, T b) {
  return a < b ? b : a;
}

// --- What a host function may call
// ------------------------------------------------------------------------------------

enum cudaError_t { cudaSuccess = 0, cudaErrorInvalidValue = 1, cudaErrorLaunchFailure = 719 };
enum cudaMemcpyKind { cudaMemcpyHostToDevice = 1, cudaMemcpyDeviceToHost = 2 };
enum cudaFuncAttribute { cudaFuncAttributeNonPortableClusterSizeAllowed = 10 };
enum cudaLaunchAttributeID { cudaLaunchAttributeClusterDimension = 4 };
struct CUstream_st;
using cudaStream_t = CUstream_st*;

struct cudaLaunchAttribute {
  cudaLaunchAttributeID id;
  struct {
    struct {
      unsigned x, y, z;
    } clusterDim;
  } val;
};
struct cudaLaunchConfig_t {
  dim3 gridDim, blockDim;
  size_t dynamicSmemBytes;
  cudaStream_t stream;
  cudaLaunchAttribute* attrs;
  unsigned numAttrs;
};

cudaError_t cudaGetLastError();
cudaError_t cudaGetDeviceCount(int* count);
cudaError_t cudaMalloc(void** data, size_t bytes);  // filled with 0xFF: a read before a write shows
cudaError_t cudaFree(void* data);
cudaError_t cudaMemcpy(void* to, const void* from, size_t bytes, cudaMemcpyKind kind);

// Largest cluster that this "device" takes; tests lower it.
inline unsigned g_largest_cluster = 16;
cudaError_t LaunchOnCpu(const cudaLaunchConfig_t& config, const std::function<void()>& thread);

template <typename Kernel>
cudaError_t cudaFuncSetAttribute(Kernel*, cudaFuncAttribute, int) {
  return cudaSuccess;
}
template <typename Kernel>
cudaError_t cudaOccupancyMaxActiveClusters(int* clusters, Kernel*,
                                           const cudaLaunchConfig_t* config) {
  *clusters = config->attrs[0].val.clusterDim.x <= g_largest_cluster ? 1 : 0;
  return cudaSuccess;
}
template <typename... Parameters, typename... Args>
cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t* config, void (*kernel)(Parameters...),
                               Args&&... args) {
  return LaunchOnCpu(*config, [&] { kernel(args...); });
}

#endif  // GWM_TESTS_KERNELS_CUDA_ON_CPU_INCLUDE_CUDA_RUNTIME_H_
