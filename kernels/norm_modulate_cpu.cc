#include <algorithm>
#include <cmath>

#include "kernels/norm_modulate.h"
#include "kernels/parallel.h"
#include "kernels/sum_of_squares.h"

namespace gwm::kernels {
namespace {

// What one row reads and writes.
struct NormModulateRowArgs {
  const float *x, *branch, *gate, *weight, *scale, *shift;
  float *residual, *out;
};

}  // namespace
}  // namespace gwm::kernels

#define GWM_SIMD_BODY "kernels/norm_modulate_body.inc"
#include "kernels/simd_variants.h"

namespace gwm::kernels {
namespace {

constexpr int64_t kValueGrain = 1 << 18;  // fewer are done before another thread wakes

NormModulateRowArgs RowOf(const NormModulateArgs& args, int64_t row) {
  const int64_t at = row * args.width;
  const int64_t condition = row / args.rows_per_condition * args.width;
  const auto moved = [](auto* base, int64_t offset) { return base ? base + offset : base; };
  return {args.x + at,
          moved(args.branch, at),
          moved(args.gate, condition),
          args.weight,
          moved(args.scale, condition),
          moved(args.shift, condition),
          moved(args.residual, at),
          args.out + at};
}

}  // namespace

KernelStatus NormModulate(const NormModulateArgs& args, const CpuContext& cpu) {
  if (args.rows < 0 || args.width < 1 || args.rows_per_condition < 1) {
    return KernelStatus::kInvalidArgument;
  }
  const auto normalise = GWM_SIMD_CALL(cpu.simd, NormModulateRow);
  const int64_t grain = std::max<int64_t>(1, kValueGrain / args.width);
  ParallelFor(cpu.pool, args.rows, grain, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) normalise(RowOf(args, row), args.width, args.eps);
  });
  return KernelStatus::kOk;
}

}  // namespace gwm::kernels
