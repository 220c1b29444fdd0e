// What one tile needs, and the constants of the compositing rules. Internal to the rasteriser.
#ifndef GWM_KERNELS_RASTER_TILE_H_
#define GWM_KERNELS_RASTER_TILE_H_

#include <cstdint>

#include "kernels/raster.h"

namespace gwm::kernels {

inline constexpr float kAlphaThreshold = 1.0f / 255.0f;
inline constexpr float kTransmittanceStop = 1e-4f;
inline constexpr int kTilePixels = kTileWidth * kTileHeight;

// One splat as the pixel loops read it.
struct alignas(16) PackedSplat {
  float mean[2];      // px
  float conic[3];     // px^-2
  float opacity;      // compensated
  float color_z[4];   // r, g, b, depth
  int16_t row_begin;  // rows of the tile that the splat can reach
  int16_t row_end;
  int32_t unused;
};

// Pixels of a tile as rows of 16; pixels outside the image are never live.
struct TilePixels {
  alignas(64) float transmittance[kTilePixels];
  alignas(64) float color_z[4][kTilePixels];  // sums of w (r, g, b, z)
  alignas(64) int32_t last[kTilePixels];      // 1 + list position of the last splat drawn
  alignas(64) int32_t live[kTilePixels];      // -1 while more splats may be drawn, else 0
};

// Backward: final transmittance and last are inputs, remainder changes on the way to the front.
struct TileGradPixels {
  alignas(64) float transmittance[kTilePixels];
  alignas(64) float grad_color_z[4][kTilePixels];  // of the sums of w (r, g, b, z)
  // T_final (g_alpha - g_rgb . background) minus the sum of w (g . color_z) over the splats behind.
  alignas(64) float remainder[kTilePixels];
  alignas(64) int32_t last[kTilePixels];
};

// Sums over the pixels of a tile for one splat; the factors of the conic follow when all tiles are
// summed.
struct PairGrad {
  float sigma_x;   // sum g_sigma dx, with dx = pixel - mean
  float sigma_y;   // sum g_sigma dy
  float sigma_xx;  // sum g_sigma dx^2
  float sigma_xy;
  float sigma_yy;
  float opacity;
  float color_z[4];
};
static_assert(sizeof(PairGrad) == kPairGradFloats * sizeof(float));

}  // namespace gwm::kernels

#endif  // GWM_KERNELS_RASTER_TILE_H_
