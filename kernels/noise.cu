// One thread per Philox block of four elements.
#include "kernels/cuda_launch.h"
#include "kernels/noise.h"
#include "kernels/philox.h"

namespace gwm::kernels {
namespace {

enum class Law { kNormal, kUniform };

template <Law law>
__global__ void NoiseKernel(const NoiseStream* streams, int64_t rows, uint64_t first, int64_t n,
                            int64_t blocks, float* out) {
  for (int64_t work = GridIndex(); work < rows * blocks; work += GridSize()) {
    const int64_t row = work / blocks;
    const NoiseStream s = streams[row];
    const PhiloxBlock key = PhiloxStreamKey(s.seed, s.env, s.episode, s.step, s.call);
    const uint64_t block = first / 4 + static_cast<uint64_t>(work % blocks);
    const PhiloxBlock bits = PhiloxElements(key, block);
    float values[4];
    if (law == Law::kNormal) {
      NormalPair(bits.v[0], bits.v[1], &values[0], &values[1]);
      NormalPair(bits.v[2], bits.v[3], &values[2], &values[3]);
    } else {
      for (int w = 0; w < 4; ++w) values[w] = UniformFromBits(bits.v[w]);
    }
    for (int w = 0; w < 4; ++w) {
      const int64_t i = static_cast<int64_t>(block * 4 + static_cast<uint64_t>(w) - first);
      if (i >= 0 && i < n) out[row * n + i] = values[w];
    }
  }
}

template <Law law>
KernelStatus Draw(const NoiseStream* streams, int64_t rows, uint64_t first, int64_t n, float* out,
                  GpuStream stream) {
  if (rows < 0 || n < 0) return KernelStatus::kInvalidArgument;
  if (rows == 0 || n == 0) return KernelStatus::kOk;
  const int64_t blocks = (static_cast<int64_t>(first % 4) + n + 3) / 4;
  return Launch(NoiseKernel<law>, GridFor(rows * blocks), kBlockThreads, stream, streams, rows,
                first, n, blocks, out);
}

}  // namespace

KernelStatus NormalNoiseCuda(const NoiseStream* streams, int64_t rows, uint64_t first, int64_t n,
                             float* out, GpuStream stream) {
  return Draw<Law::kNormal>(streams, rows, first, n, out, stream);
}

KernelStatus UniformNoiseCuda(const NoiseStream* streams, int64_t rows, uint64_t first, int64_t n,
                              float* out, GpuStream stream) {
  return Draw<Law::kUniform>(streams, rows, first, n, out, stream);
}

}  // namespace gwm::kernels
