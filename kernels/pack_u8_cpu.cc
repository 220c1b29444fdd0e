#include <algorithm>

#include "kernels/pack_u8.h"
#include "kernels/pack_u8_math.h"
#include "kernels/parallel.h"

#define GWM_SIMD_BODY "kernels/pack_u8_body.inc"
#include "kernels/simd_variants.h"

namespace gwm::kernels {
namespace {
constexpr int64_t kPackGrain = 1 << 16;  // values
}  // namespace

KernelStatus PackU8(const PackU8Args& args, const CpuContext& cpu) {
  if (!ValidPack(args)) return KernelStatus::kInvalidArgument;
  const auto pack = GWM_SIMD_CALL(cpu.simd, PackRow);
  const int64_t grain = std::max<int64_t>(1, kPackGrain / std::max<int64_t>(1, args.columns));
  ParallelFor(cpu.pool, args.rows, grain, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      pack(args.image + row * args.columns, args.columns, args.out + row * args.out_row_bytes);
    }
  });
  return KernelStatus::kOk;
}

}  // namespace gwm::kernels
