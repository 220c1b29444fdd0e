// Counter-based noise: a pure function of the key and the element, with the same bits on the CPU
// (any instruction set, any thread count) and on CUDA. No libm: logarithm, sine and cosine are
// fixed sequences of IEEE float operations.
#ifndef GWM_KERNELS_NOISE_H_
#define GWM_KERNELS_NOISE_H_

#include <cstdint>

#include "kernels/simd.h"
#include "kernels/status.h"

namespace gwm::kernels {

// One stream. `call` numbers the draws within an env step.
struct NoiseStream {
  uint64_t seed = 0;
  uint32_t env = 0;
  uint32_t episode = 0;
  uint32_t step = 0;
  uint32_t call = 0;
};

// out[i] = standard normal of element first + i. O(n).
KernelStatus NormalNoise(const NoiseStream& stream, uint64_t first, int64_t n, float* out,
                         const CpuContext& cpu = {});

// out[i] = uniform in [0, 1) of element first + i: multiples of 2^-24.
KernelStatus UniformNoise(const NoiseStream& stream, uint64_t first, int64_t n, float* out,
                          const CpuContext& cpu = {});

// One row per stream: out [rows, n], element numbers start at `first` in each row. Streams and out
// in device memory.
KernelStatus NormalNoiseCuda(const NoiseStream* streams, int64_t rows, uint64_t first, int64_t n,
                             float* out, GpuStream stream);
KernelStatus UniformNoiseCuda(const NoiseStream* streams, int64_t rows, uint64_t first, int64_t n,
                              float* out, GpuStream stream);

}  // namespace gwm::kernels

#endif  // GWM_KERNELS_NOISE_H_
