#include "kernels/cuda_launch.h"
#include "kernels/pack_u8.h"
#include "kernels/pack_u8_math.h"

namespace gwm::kernels {
namespace {

__global__ void PackKernel(PackU8Args args) {
  for (int64_t i = GridIndex(); i < args.rows * args.columns; i += GridSize()) {
    args.out[i / args.columns * args.out_row_bytes + i % args.columns] = PackByte(args.image[i]);
  }
}

// Rows that follow each other without gaps, 16-byte aligned loads: four values per thread.
__global__ void PackFourKernel(const float4* image, int64_t n, uchar4* out) {
  for (int64_t i = GridIndex(); i < n; i += GridSize()) {
    const float4 x = image[i];
    out[i] = {PackByte(x.x), PackByte(x.y), PackByte(x.z), PackByte(x.w)};
  }
}

bool InFours(const PackU8Args& args) {
  return args.out_row_bytes == args.columns && args.rows * args.columns % 4 == 0 &&
         reinterpret_cast<uintptr_t>(args.image) % 16 == 0 &&
         reinterpret_cast<uintptr_t>(args.out) % 4 == 0;
}

}  // namespace

KernelStatus PackU8Cuda(const PackU8Args& args, GpuStream stream) {
  if (!ValidPack(args)) return KernelStatus::kInvalidArgument;
  const int64_t n = args.rows * args.columns;
  if (n == 0) return KernelStatus::kOk;
  if (!InFours(args)) return Launch(PackKernel, GridFor(n), kBlockThreads, stream, args);
  return Launch(PackFourKernel, GridFor(n / 4), kBlockThreads, stream,
                reinterpret_cast<const float4*>(args.image), n / 4,
                reinterpret_cast<uchar4*>(args.out));
}

}  // namespace gwm::kernels
