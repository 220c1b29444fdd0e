#include <algorithm>

#include "kernels/noise.h"
#include "kernels/parallel.h"
#include "kernels/philox.h"

namespace gwm::kernels {
namespace {
constexpr int kNoiseBlocks = 64;  // drawn together
}  // namespace
}  // namespace gwm::kernels

#define GWM_SIMD_BODY "kernels/noise_body.inc"
#include "kernels/simd_variants.h"

namespace gwm::kernels {
namespace {

constexpr int64_t kGroupElements = 4 * kNoiseBlocks;
constexpr int64_t kGroupGrain = 16;

using GroupFunction = void (*)(PhiloxBlock, uint64_t, float*);

// The elements [first, first + n) cut into groups that start at multiples of the group size, so
// that a value depends on its element number alone.
KernelStatus Fill(const NoiseStream& stream, uint64_t first, int64_t n, float* out,
                  ThreadPool* pool, GroupFunction group) {
  if (n < 0) return KernelStatus::kInvalidArgument;
  if (n == 0) return KernelStatus::kOk;
  const PhiloxBlock key =
      PhiloxStreamKey(stream.seed, stream.env, stream.episode, stream.step, stream.call);
  const int64_t skipped = static_cast<int64_t>(first % kGroupElements);
  const uint64_t first_group = first / kGroupElements;
  const int64_t groups = (skipped + n + kGroupElements - 1) / kGroupElements;
  ParallelFor(pool, groups, kGroupGrain, [&](int64_t begin, int64_t end) {
    float buffer[kGroupElements];
    for (int64_t g = begin; g < end; ++g) {
      group(key, (first_group + static_cast<uint64_t>(g)) * kNoiseBlocks, buffer);
      const int64_t low = std::max<int64_t>(0, skipped - g * kGroupElements);
      const int64_t high = std::min(kGroupElements, skipped + n - g * kGroupElements);
      std::copy(buffer + low, buffer + high, out + g * kGroupElements + low - skipped);
    }
  });
  return KernelStatus::kOk;
}

}  // namespace

KernelStatus NormalNoise(const NoiseStream& stream, uint64_t first, int64_t n, float* out,
                         const CpuContext& cpu) {
  return Fill(stream, first, n, out, cpu.pool, GWM_SIMD_CALL(cpu.simd, NormalGroup));
}

KernelStatus UniformNoise(const NoiseStream& stream, uint64_t first, int64_t n, float* out,
                          const CpuContext& cpu) {
  return Fill(stream, first, n, out, cpu.pool, GWM_SIMD_CALL(cpu.simd, UniformGroup));
}

}  // namespace gwm::kernels
