#include <cmath>

#include "kernels/head_norm_rope.h"
#include "kernels/parallel.h"
#include "kernels/sum_of_squares.h"

#define GWM_SIMD_BODY "kernels/head_norm_rope_body.inc"
#include "kernels/simd_variants.h"

namespace gwm::kernels {
namespace {
constexpr int64_t kHeadGrain = 64;
}  // namespace

KernelStatus HeadNormRope(const HeadNormRopeArgs& args, const CpuContext& cpu) {
  if (!Valid(args)) return KernelStatus::kInvalidArgument;
  const auto rotate = GWM_SIMD_CALL(cpu.simd, RotateHead);
  const int64_t bands = args.head_dim / 2;
  ParallelFor(
      cpu.pool, args.batch * args.heads * args.tokens, kHeadGrain, [&](int64_t begin, int64_t end) {
        for (int64_t row = begin; row < end; ++row) {
          const int64_t t = row % args.tokens;
          const int64_t head = row / args.tokens % args.heads;
          const int64_t b = row / (args.tokens * args.heads);
          const int64_t table = (b * args.table_tokens + t % args.table_tokens) * bands;
          const float* x = args.x + (b * args.tokens + t) * args.row_stride + head * args.head_dim;
          rotate(x, args.weight, args.cos + table, args.sin + table, bands, args.eps,
                 args.out + row * args.head_dim);
        }
      });
  return KernelStatus::kOk;
}

}  // namespace gwm::kernels
