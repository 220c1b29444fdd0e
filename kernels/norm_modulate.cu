// One block per row; the sum of squares is reduced in a fixed tree.
#include "kernels/cuda_launch.h"
#include "kernels/norm_modulate.h"

namespace gwm::kernels {
namespace {

__device__ float BlockSum(float value) {
  __shared__ float warp_sums[kBlockThreads / 32];
  for (int offset = 16; offset > 0; offset /= 2) {
    value += __shfl_xor_sync(kAllLanes, value, offset);
  }
  __syncthreads();  // the previous row's sums have been read
  if (threadIdx.x % 32 == 0) warp_sums[threadIdx.x / 32] = value;
  __syncthreads();
  float sum = 0.0f;
  for (int warp = 0; warp < kBlockThreads / 32; ++warp) sum += warp_sums[warp];
  return sum;
}

__device__ void NormRow(const NormModulateArgs& args, int64_t row) {
  const int64_t condition = row / args.rows_per_condition * args.width;
  float squares = 0.0f;
  for (int64_t j = threadIdx.x; j < args.width; j += kBlockThreads) {
    const int64_t i = row * args.width + j;
    float h = args.x[i];
    if (args.branch) h += (args.gate ? args.gate[condition + j] : 1.0f) * args.branch[i];
    if (args.residual) args.residual[i] = h;
    args.out[i] = h;
    squares += h * h;
  }
  const float mean = BlockSum(squares) / static_cast<float>(args.width);
  const float inverse = 1.0f / sqrtf(mean + args.eps);
  for (int64_t j = threadIdx.x; j < args.width; j += kBlockThreads) {
    float y = args.out[row * args.width + j] * inverse;
    if (args.weight) y *= args.weight[j];
    if (args.scale) y *= 1.0f + args.scale[condition + j];
    if (args.shift) y += args.shift[condition + j];
    args.out[row * args.width + j] = y;
  }
}

__global__ void NormModulateKernel(NormModulateArgs args) {
  for (int64_t row = blockIdx.x; row < args.rows; row += gridDim.x) NormRow(args, row);
}

}  // namespace

KernelStatus NormModulateCuda(const NormModulateArgs& args, GpuStream stream) {
  if (args.rows < 0 || args.width < 1 || args.rows_per_condition < 1) {
    return KernelStatus::kInvalidArgument;
  }
  if (args.rows == 0) return KernelStatus::kOk;
  return Launch(NormModulateKernel, std::min<int64_t>(args.rows, 65535), kBlockThreads, stream,
                args);
}

}  // namespace gwm::kernels
