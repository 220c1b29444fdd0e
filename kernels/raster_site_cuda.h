// Where the pixel kernels of the rasteriser find a tile and its splats. Internal to the .cu files.
#ifndef GWM_KERNELS_RASTER_SITE_CUDA_H_
#define GWM_KERNELS_RASTER_SITE_CUDA_H_

#include "kernels/cuda_launch.h"
#include "kernels/raster_cuda.h"
#include "kernels/raster_math.h"

namespace gwm::kernels {

// Where a tile lies in its image and in the pair lists.
struct TileSite {
  int64_t view;
  int x0, y0;     // first pixel
  int64_t begin;  // pairs
  int count;
};

__device__ inline TileSite Locate(const RasterArgs& args, const RasterCudaState& state,
                                  int64_t tiles, int64_t index) {
  const int tiles_x = (args.width + kTileWidth - 1) / kTileWidth;
  TileSite site;
  site.view = index / tiles;
  const int tile = static_cast<int>(index % tiles);
  site.x0 = tile % tiles_x * kTileWidth;
  site.y0 = tile / tiles_x * kTileHeight;
  const int32_t* offsets = state.tile_offsets + site.view * (tiles + 1);
  site.begin = site.view * state.pair_capacity + offsets[tile];
  site.count = offsets[tile + 1] - offsets[tile];
  return site;
}

__device__ inline const float* BackgroundOf(const RasterArgs& args, int64_t view) {
  return args.background ? args.background + 3 * view : nullptr;
}

// Splat `k` of the tile's list.
__device__ inline void StageSplat(const RasterArgs& args, const RasterCudaState& state,
                                  const TileSite& site, int k, PackedSplat* staged) {
  const int64_t i = site.view * args.num_gaussians + state.pair_splats[site.begin + k];
  PackSplat(args, state.tile_boxes + 4 * i, i, site.y0, staged);
}

}  // namespace gwm::kernels

#endif  // GWM_KERNELS_RASTER_SITE_CUDA_H_
