// A block of 128 threads per tile, a thread per pixel, splats staged in shared memory.
#include "kernels/cuda_block.h"
#include "kernels/raster_bin_cuda.h"
#include "kernels/raster_cuda.h"
#include "kernels/raster_math.h"
#include "kernels/raster_site_cuda.h"

namespace gwm::kernels {
namespace {

struct PixelSums {
  float transmittance = 1.0f;
  float color_z[4] = {};  // sums of w (r, g, b, z)
  int last = 0;           // 1 + list position of the last splat drawn
};

// Draws splat k of the list; false once the pixel is opaque.
__device__ bool DrawSplat(const PackedSplat& s, int k, float dx, float dy, float max_alpha,
                          PixelSums* sums) {
  const PixelCoverage cover = CoverPixel(s, dx, dy, max_alpha);
  const float after = sums->transmittance * (1.0f - cover.alpha);
  if (!cover.drawn) return true;
  if (after <= kTransmittanceStop) return false;
  const float weight = cover.alpha * sums->transmittance;
  for (int c = 0; c < 4; ++c) sums->color_z[c] = sums->color_z[c] + weight * s.color_z[c];
  sums->transmittance = after;
  sums->last = k + 1;
  return true;
}

__global__ void __launch_bounds__(kTilePixels)
    CompositeKernel(RasterArgs args, RasterCudaState state, RasterOutputs out, int64_t tiles) {
  __shared__ PackedSplat staged[kTilePixels];
  const TileSite site = Locate(args, state, tiles, blockIdx.x);
  const int thread = static_cast<int>(threadIdx.x);
  const int row = thread / kTileWidth;
  const int x = site.x0 + thread % kTileWidth, y = site.y0 + row;
  const bool inside = x < args.width && y < args.height;
  const float px = static_cast<float>(x) + 0.5f, py = static_cast<float>(y) + 0.5f;
  bool live = inside;
  PixelSums sums;
  for (int base = 0; base < site.count; base += kTilePixels) {
    if (__syncthreads_count(live) == 0) break;
    if (base + thread < site.count) StageSplat(args, state, site, base + thread, staged + thread);
    __syncthreads();
    const int batch = min(kTilePixels, site.count - base);
    for (int k = 0; live && k < batch; ++k) {
      const PackedSplat& s = staged[k];
      if (row < s.row_begin || row >= s.row_end) continue;
      live = DrawSplat(s, base + k, px - s.mean[0], py - s.mean[1], args.max_alpha, &sums);
    }
  }
  if (!inside) return;
  const int64_t pixel = (site.view * args.height + y) * args.width + x;
  StorePixel(sums.color_z, sums.transmittance, BackgroundOf(args, site.view), pixel, out);
  state.final_transmittance[pixel] = sums.transmittance;
  state.last_pair[pixel] = sums.last;
  state.depth_sum[pixel] = sums.color_z[3];
}

}  // namespace

KernelStatus RasterForwardCuda(const RasterArgs& args, const RasterCudaState& state,
                               const RasterOutputs& out, GpuStream stream) {
  if (!ValidRaster(args) || state.pair_capacity < 0 || state.pair_capacity > kMaxPairCapacity) {
    return KernelStatus::kInvalidArgument;
  }
  const int64_t tiles = NumTiles(args.width, args.height);
  if (args.num_views == 0) return KernelStatus::kOk;
  KernelStatus status = OrderSplatsCuda(args, state, stream);
  if (status != KernelStatus::kOk || tiles == 0) return status;
  status = DealPairsCuda(args, state, stream);
  if (status != KernelStatus::kOk) return status;
  return Launch(CompositeKernel, args.num_views * tiles, kTilePixels, stream, args, state, out,
                tiles);
}

}  // namespace gwm::kernels
