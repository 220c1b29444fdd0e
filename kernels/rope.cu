#include "kernels/cuda_launch.h"
#include "kernels/rope.h"
#include "kernels/rope_math.h"

namespace gwm::kernels {
namespace {

__global__ void RopeTableKernel(RopeTableArgs args) {
  for (int64_t i = GridIndex(); i < args.rows * args.bands; i += GridSize()) {
    const int64_t row = i / args.bands, band = i % args.bands;
    const int64_t axis = args.band_axis ? args.band_axis[band] : 0;
    const double angle = static_cast<double>(args.positions[axis * args.rows + row]) *
                         static_cast<double>(args.frequencies[band]);
    args.cos[i] = static_cast<float>(cos(angle));
    args.sin[i] = static_cast<float>(sin(angle));
  }
}

__global__ void RopeApplyKernel(RopeApplyArgs args, int64_t pairs) {
  const int64_t bands = args.head_dim / 2;
  for (int64_t work = GridIndex(); work < pairs; work += GridSize()) {
    const int64_t row = work / bands, band = work % bands;
    const int64_t b = row / (args.heads * args.tokens);
    const int64_t table = (b * args.tokens + row % args.tokens) * bands + band;
    RotatePair(args.layout, args.x + row * args.head_dim, args.cos[table], args.sin[table], band,
               bands, args.out + row * args.head_dim);
  }
}

}  // namespace

KernelStatus RopeTableCuda(const RopeTableArgs& args, GpuStream stream) {
  if (args.rows < 0 || args.bands < 0 || args.axes < 1) return KernelStatus::kInvalidArgument;
  if (args.rows * args.bands == 0) return KernelStatus::kOk;
  return Launch(RopeTableKernel, GridFor(args.rows * args.bands), kBlockThreads, stream, args);
}

KernelStatus RopeApplyCuda(const RopeApplyArgs& args, GpuStream stream) {
  if (args.batch < 0 || args.heads < 0 || args.tokens < 0 || args.head_dim < 0 ||
      args.head_dim % 2 != 0) {
    return KernelStatus::kInvalidArgument;
  }
  const int64_t pairs = args.batch * args.heads * args.tokens * (args.head_dim / 2);
  if (pairs == 0) return KernelStatus::kOk;
  return Launch(RopeApplyKernel, GridFor(pairs), kBlockThreads, stream, args, pairs);
}

}  // namespace gwm::kernels
