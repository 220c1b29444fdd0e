#include <cmath>

#include "kernels/parallel.h"
#include "kernels/rope.h"
#include "kernels/rope_math.h"

namespace gwm::kernels {
namespace {

constexpr int64_t kRowGrain = 64;

bool Valid(const RopeTableArgs& args) {
  if (args.rows < 0 || args.bands < 0 || args.axes < 1) return false;
  for (int64_t i = 0; args.band_axis != nullptr && i < args.bands; ++i) {
    if (args.band_axis[i] < 0 || args.band_axis[i] >= args.axes) return false;
  }
  return true;
}

}  // namespace

void RopeFrequencies(double theta, int64_t head_dim, float* out) {
  for (int64_t i = 0; i < head_dim / 2; ++i) {
    out[i] = static_cast<float>(
        std::pow(theta, -2.0 * static_cast<double>(i) / static_cast<double>(head_dim)));
  }
}

KernelStatus RopeTable(const RopeTableArgs& args, const CpuContext& cpu) {
  if (!Valid(args)) return KernelStatus::kInvalidArgument;
  ParallelFor(cpu.pool, args.rows, kRowGrain, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      for (int64_t i = 0; i < args.bands; ++i) {
        const int64_t axis = args.band_axis ? args.band_axis[i] : 0;
        const double angle = static_cast<double>(args.positions[axis * args.rows + row]) *
                             static_cast<double>(args.frequencies[i]);
        args.cos[row * args.bands + i] = static_cast<float>(std::cos(angle));
        args.sin[row * args.bands + i] = static_cast<float>(std::sin(angle));
      }
    }
  });
  return KernelStatus::kOk;
}

KernelStatus RopeApply(const RopeApplyArgs& args, const CpuContext& cpu) {
  if (args.batch < 0 || args.heads < 0 || args.tokens < 0 || args.head_dim < 0 ||
      args.head_dim % 2 != 0) {
    return KernelStatus::kInvalidArgument;
  }
  const int64_t bands = args.head_dim / 2;
  const int64_t rows = args.batch * args.heads * args.tokens;
  ParallelFor(cpu.pool, rows, kRowGrain, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const int64_t b = row / (args.heads * args.tokens);
      const int64_t table = (b * args.tokens + row % args.tokens) * bands;
      for (int64_t i = 0; i < bands; ++i) {
        RotatePair(args.layout, args.x + row * args.head_dim, args.cos[table + i],
                   args.sin[table + i], i, bands, args.out + row * args.head_dim);
      }
    }
  });
  return KernelStatus::kOk;
}

}  // namespace gwm::kernels
