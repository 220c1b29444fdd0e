#include <algorithm>
#include <vector>

#include "kernels/parallel.h"
#include "kernels/raster.h"
#include "kernels/raster_bin.h"
#include "kernels/raster_math.h"
#include "kernels/raster_tile.h"

#define GWM_SIMD_BODY "kernels/raster_body.inc"
#include "kernels/simd_variants.h"

namespace gwm::kernels {
namespace {

constexpr int64_t kTileGrain = 4;
constexpr int64_t kSplatGrain = 512;

// Where a tile lies in its image and in the pair lists.
struct TileSite {
  int64_t view;
  int x0, y0;   // first pixel
  int columns;  // pixels inside the image
  int rows;
  int64_t begin;  // pairs
  int32_t count;
  int64_t Pixel(const RasterArgs& args, int row) const {
    return (view * args.height + y0 + row) * args.width + x0;
  }
};

TileSite Locate(const RasterArgs& args, const RasterState& state, int64_t index) {
  const int tiles_x = (args.width + kTileWidth - 1) / kTileWidth;
  const int64_t tiles = NumTiles(args.width, args.height);
  TileSite site;
  site.view = index / tiles;
  site.x0 = static_cast<int>(index % tiles % tiles_x) * kTileWidth;
  site.y0 = static_cast<int>(index % tiles / tiles_x) * kTileHeight;
  site.columns = std::min(kTileWidth, args.width - site.x0);
  site.rows = std::min(kTileHeight, args.height - site.y0);
  site.begin = state.tile_offsets[index];
  site.count = static_cast<int32_t>(state.tile_offsets[index + 1] - site.begin);
  return site;
}

void PackSplats(const RasterArgs& args, const RasterState& state, const TileSite& site,
                std::vector<PackedSplat>* packed) {
  packed->resize(site.count);
  for (int32_t k = 0; k < site.count; ++k) {
    const int64_t i = site.view * args.num_gaussians + state.pair_splats[site.begin + k];
    PackSplat(args, state.tile_boxes + 4 * i, i, site.y0, &(*packed)[k]);
  }
}

void ClearTile(const TileSite& site, TilePixels* tile) {
  *tile = {};
  std::fill_n(tile->transmittance, kTilePixels, 1.0f);
  for (int row = 0; row < site.rows; ++row) {
    std::fill_n(tile->live + row * kTileWidth, site.columns, -1);
  }
}

void StoreTile(const RasterArgs& args, const RasterState& state, const RasterOutputs& out,
               const TileSite& site, const TilePixels& tile) {
  const float* background = args.background ? args.background + 3 * site.view : nullptr;
  for (int row = 0; row < site.rows; ++row) {
    for (int column = 0; column < site.columns; ++column) {
      const int i = row * kTileWidth + column;
      const int64_t pixel = site.Pixel(args, row) + column;
      const float color_z[4] = {tile.color_z[0][i], tile.color_z[1][i], tile.color_z[2][i],
                                tile.color_z[3][i]};
      StorePixel(color_z, tile.transmittance[i], background, pixel, out);
      state.final_transmittance[pixel] = tile.transmittance[i];
      state.last_pair[pixel] = tile.last[i];
      state.depth_sum[pixel] = color_z[3];
    }
  }
}

void LoadGradTile(const RasterArgs& args, const RasterState& state, const RasterOutputGrads& grads,
                  const TileSite& site, TileGradPixels* tile) {
  *tile = {};
  const float* background = args.background ? args.background + 3 * site.view : nullptr;
  for (int row = 0; row < site.rows; ++row) {
    for (int column = 0; column < site.columns; ++column) {
      const int i = row * kTileWidth + column;
      const int64_t pixel = site.Pixel(args, row) + column;
      float grad_color_z[4];
      tile->transmittance[i] = state.final_transmittance[pixel];
      tile->remainder[i] = LoadPixelGrad(grads, background, pixel, tile->transmittance[i],
                                         state.depth_sum[pixel], grad_color_z);
      for (int c = 0; c < 4; ++c) tile->grad_color_z[c][i] = grad_color_z[c];
      tile->last[i] = state.last_pair[pixel];
    }
  }
}

void TileBackward(const RasterArgs& args, const RasterState& state, const RasterOutputGrads& grads,
                  const TileSite& site, SimdLevel simd, PairGrad* pair_grads) {
  TileGradPixels tile;
  LoadGradTile(args, state, grads, site, &tile);
  std::vector<PackedSplat> packed;
  PackSplats(args, state, site, &packed);
  // Splats behind the last one drawn have no gradient.
  const int32_t drawn = *std::max_element(tile.last, tile.last + kTilePixels);
  std::vector<PairGrad> list(site.count, PairGrad{});
  GWM_SIMD_CALL(simd, CompositeTileBackward)
  (packed.data(), drawn, site.x0, site.y0, args.max_alpha, &tile, list.data());
  for (int32_t k = 0; k < site.count; ++k) {
    pair_grads[state.pair_slots[site.begin + k]] = list[k];
  }
}

// Adds up a splat's tiles in tile order.
void SumSplat(const RasterArgs& args, const RasterState& state, const PairGrad* pair_grads,
              const RasterSplatGrads& out, int64_t i) {
  PairGrad sum = {};
  for (int64_t slot = state.splat_offsets[i]; slot < state.splat_offsets[i + 1]; ++slot) {
    AddPairGrad(pair_grads[slot], &sum);
  }
  StoreSplatGrad(args, sum, i, out);
}

void BackgroundGradient(const RasterArgs& args, const RasterState& state,
                        const RasterOutputGrads& grads, float* out) {
  const int64_t pixels = static_cast<int64_t>(args.width) * args.height;
  for (int64_t v = 0; v < args.num_views; ++v) {
    double sum[3] = {};
    for (int64_t p = v * pixels; grads.rgb != nullptr && p < (v + 1) * pixels; ++p) {
      for (int c = 0; c < 3; ++c) sum[c] += state.final_transmittance[p] * grads.rgb[3 * p + c];
    }
    for (int c = 0; c < 3; ++c) out[3 * v + c] = static_cast<float>(sum[c]);
  }
}

}  // namespace

KernelStatus RasterForward(const RasterArgs& args, const RasterState& state,
                           const RasterOutputs& out, const CpuContext& cpu) {
  if (!ValidRaster(args)) return KernelStatus::kInvalidArgument;
  if (state.splat_offsets[args.num_views * args.num_gaussians] > state.pair_capacity) {
    return KernelStatus::kCapacityExceeded;
  }
  BuildTileLists(args, state, cpu.pool);
  const int64_t tiles = args.num_views * NumTiles(args.width, args.height);
  ParallelFor(cpu.pool, tiles, kTileGrain, [&](int64_t begin, int64_t end) {
    std::vector<PackedSplat> packed;
    for (int64_t t = begin; t < end; ++t) {
      const TileSite site = Locate(args, state, t);
      TilePixels tile;
      ClearTile(site, &tile);
      PackSplats(args, state, site, &packed);
      GWM_SIMD_CALL(cpu.simd, CompositeTile)
      (packed.data(), site.count, site.x0, site.y0, args.max_alpha, &tile);
      StoreTile(args, state, out, site, tile);
    }
  });
  return KernelStatus::kOk;
}

KernelStatus RasterBackward(const RasterArgs& args, const RasterState& state,
                            const RasterOutputGrads& grads, float* pair_grads,
                            const RasterSplatGrads& out, const CpuContext& cpu) {
  if (!ValidRaster(args)) return KernelStatus::kInvalidArgument;
  PairGrad* partials = reinterpret_cast<PairGrad*>(pair_grads);
  const int64_t tiles = args.num_views * NumTiles(args.width, args.height);
  ParallelFor(cpu.pool, tiles, kTileGrain, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
      TileBackward(args, state, grads, Locate(args, state, t), cpu.simd, partials);
    }
  });
  ParallelFor(cpu.pool, args.num_views * args.num_gaussians, kSplatGrain,
              [&](int64_t begin, int64_t end) {
                for (int64_t i = begin; i < end; ++i) SumSplat(args, state, partials, out, i);
              });
  if (out.background != nullptr) BackgroundGradient(args, state, grads, out.background);
  return KernelStatus::kOk;
}

}  // namespace gwm::kernels
