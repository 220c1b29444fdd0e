// RMSNorm of each attention head, its rotation by RoPE and the move from tokens to heads, in one
// pass: what a query or key needs between its projection and the attention.
#ifndef GWM_KERNELS_HEAD_NORM_ROPE_H_
#define GWM_KERNELS_HEAD_NORM_ROPE_H_

#include <cstdint>

#include "kernels/simd.h"
#include "kernels/status.h"

namespace gwm::kernels {

struct HeadNormRopeArgs {
  // [B * T] tokens that begin row_stride floats apart (a slice of a wider projection may be given);
  // the H heads of a token lie side by side, D floats each.
  const float* x = nullptr;
  const float* weight = nullptr;  // [D] gain; null = 1
  const float* cos = nullptr;     // [B, table_tokens, D/2]
  const float* sin = nullptr;     // [B, table_tokens, D/2]
  int64_t batch = 0;              // B
  int64_t heads = 0;              // H
  int64_t tokens = 0;             // T; token t turns by row t % table_tokens of the tables
  int64_t table_tokens = 0;       // >= 1 unless T is 0
  int64_t head_dim = 0;           // D, even, >= 2
  int64_t row_stride = 0;         // >= H * D
  float eps = 1e-6f;
  float* out = nullptr;  // [B, H, T, D]; must not overlap x
};

// y = x / sqrt(mean(x^2) + eps) * weight, then the pairs (i, i + D/2) become (u cos - v sin,
// v cos + u sin). The sum of squares has a fixed order of 16 partial sums: same bits at every level
// and thread count.
KernelStatus HeadNormRope(const HeadNormRopeArgs& args, const CpuContext& cpu = {});

// Agrees with the CPU to rounding (its reduction tree differs).
KernelStatus HeadNormRopeCuda(const HeadNormRopeArgs& args, GpuStream stream);

inline bool Valid(const HeadNormRopeArgs& args) {
  return args.batch >= 0 && args.heads >= 0 && args.tokens >= 0 && args.head_dim >= 2 &&
         args.head_dim % 2 == 0 && args.row_stride >= args.heads * args.head_dim &&
         (args.tokens == 0 || args.table_tokens >= 1);
}

}  // namespace gwm::kernels

#endif  // GWM_KERNELS_HEAD_NORM_ROPE_H_
