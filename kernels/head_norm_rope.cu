// A warp per head of a token; the sum of squares is reduced in a fixed tree.
#include "kernels/cuda_launch.h"
#include "kernels/head_norm_rope.h"

namespace gwm::kernels {
namespace {

constexpr int kHeadsPerBlock = kBlockThreads / kWarpThreads;

__device__ float WarpSumOfSquares(const float* x, int64_t dim, int lane) {
  float sum = 0.0f;
  for (int64_t j = lane; j < dim; j += kWarpThreads) sum += x[j] * x[j];
  for (int offset = kWarpThreads / 2; offset > 0; offset /= 2) {
    sum += __shfl_xor_sync(kAllLanes, sum, offset);
  }
  return sum;
}

__device__ void RotateHead(const HeadNormRopeArgs& args, int64_t row, int lane) {
  const int64_t bands = args.head_dim / 2;
  const int64_t t = row % args.tokens;
  const int64_t head = row / args.tokens % args.heads;
  const int64_t b = row / (args.tokens * args.heads);
  const int64_t table = (b * args.table_tokens + t % args.table_tokens) * bands;
  const float* x = args.x + (b * args.tokens + t) * args.row_stride + head * args.head_dim;
  float* out = args.out + row * args.head_dim;
  const float mean = WarpSumOfSquares(x, args.head_dim, lane) / static_cast<float>(args.head_dim);
  const float inverse = 1.0f / sqrtf(mean + args.eps);
  for (int64_t i = lane; i < bands; i += kWarpThreads) {
    float u = x[i] * inverse, v = x[i + bands] * inverse;
    if (args.weight != nullptr) {
      u *= args.weight[i];
      v *= args.weight[i + bands];
    }
    const float cosine = args.cos[table + i], sine = args.sin[table + i];
    out[i] = u * cosine - v * sine;
    out[i + bands] = v * cosine + u * sine;
  }
}

__global__ void HeadNormRopeKernel(HeadNormRopeArgs args, int64_t rows) {
  const int lane = static_cast<int>(threadIdx.x) % kWarpThreads;
  const int64_t first =
      static_cast<int64_t>(blockIdx.x) * kHeadsPerBlock + threadIdx.x / kWarpThreads;
  for (int64_t row = first; row < rows; row += static_cast<int64_t>(gridDim.x) * kHeadsPerBlock) {
    RotateHead(args, row, lane);
  }
}

}  // namespace

KernelStatus HeadNormRopeCuda(const HeadNormRopeArgs& args, GpuStream stream) {
  if (!Valid(args)) return KernelStatus::kInvalidArgument;
  const int64_t rows = args.batch * args.heads * args.tokens;
  if (rows == 0) return KernelStatus::kOk;
  return Launch(HeadNormRopeKernel, GridFor(rows * kWarpThreads), kBlockThreads, stream, args,
                rows);
}

}  // namespace gwm::kernels
