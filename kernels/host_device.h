// Marks per-element functions that CPU and CUDA code share.
#ifndef GWM_KERNELS_HOST_DEVICE_H_
#define GWM_KERNELS_HOST_DEVICE_H_

#ifdef __CUDACC__
#define GWM_HOST_DEVICE __host__ __device__ inline
// Before a loop whose trip count is known: arrays that it indexes can then live in registers.
#define GWM_UNROLL _Pragma("unroll")
#else
// Inlined always, so that each SIMD variant compiles them for its own instruction set.
#define GWM_HOST_DEVICE inline __attribute__((always_inline))
#define GWM_UNROLL
#endif

#endif  // GWM_KERNELS_HOST_DEVICE_H_
