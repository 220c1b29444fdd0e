// Tiled front-to-back compositing of splats, forward and backward.
//
//   alpha_i = min(max_alpha, o_i exp(-sigma_i)), sigma_i = (a dx^2 + c dy^2) / 2 + b dx dy, skipped
//   when sigma < 0 or alpha < 1/255; the splat that would bring T to <= 1e-4 and all behind it are
//   not drawn; w_i = alpha_i T_i. rgb = sum w c + T background; alpha = 1 - T; depth = sum(w z) /
//   max(alpha, 1e-10).
//
// Each view's splats are sorted by depth once (stable: the lower index is in front on ties), then
// dealt stably into tiles. Work is proportional to the pairs (tile, splat), never pixels x splats.
// All buffers have sizes known up front; too small a pair capacity is reported, not written past.
#ifndef GWM_KERNELS_RASTER_H_
#define GWM_KERNELS_RASTER_H_

#include <cstdint>

#include "kernels/project.h"
#include "kernels/simd.h"
#include "kernels/status.h"

namespace gwm::kernels {

inline constexpr int kTileWidth = 16;  // pixels
inline constexpr int kTileHeight = 8;  // pixels

// Tiles of one image.
inline int64_t NumTiles(int width, int height) {
  return static_cast<int64_t>((width + kTileWidth - 1) / kTileWidth) *
         ((height + kTileHeight - 1) / kTileHeight);
}

struct RasterArgs {
  Splats splats;                      // [V, N] of ProjectGaussians
  int64_t num_views = 0;              // V
  int64_t num_gaussians = 0;          // N
  int width = 0;                      // pixels
  int height = 0;                     // pixels
  const float* background = nullptr;  // [V, 3]; null = black
  float max_alpha = 0.999f;
};

// What the forward pass leaves for the backward pass. Sizes in elements; X = NumTiles, C = pair
// capacity.
struct RasterState {
  int32_t* tile_boxes =
      nullptr;  // [V, N, 4] pixel box of each splat: x0, x1, y0, y1, end exclusive
  int64_t* splat_offsets = nullptr;  // [V * N + 1] first pair slot of each splat
  uint64_t* sort_entries = nullptr;  // [V, 2 * N] scratch of the depth sort
  int64_t* tile_offsets = nullptr;   // [V * X + 1] first entry of each tile in the pair lists
  int32_t* pair_splats = nullptr;    // [C] splat of each pair, tile by tile, front to back
  int64_t* pair_slots = nullptr;  // [C] slot of each pair in splat order: where its gradient goes
  float* final_transmittance = nullptr;  // [V, H, W]
  int32_t* last_pair =
      nullptr;  // [V, H, W] 1 + position in the tile's list of the last splat drawn; 0 = none
  float* depth_sum = nullptr;  // [V, H, W] sum(w z)
  int64_t pair_capacity = 0;   // C
};

struct RasterOutputs {
  float* rgb = nullptr;    // [V, H, W, 3]
  float* alpha = nullptr;  // [V, H, W] in [0, 1)
  float* depth = nullptr;  // [V, H, W] m; 0 where nothing is drawn
};

// Pairs (tile, splat) that RasterForward will need: fills tile_boxes and splat_offsets of the
// state.
int64_t CountRasterPairs(const RasterArgs& args, const RasterState& state,
                         const CpuContext& cpu = {});

// Needs CountRasterPairs on the same state. kCapacityExceeded when there are more pairs than
// pair_capacity.
KernelStatus RasterForward(const RasterArgs& args, const RasterState& state,
                           const RasterOutputs& out, const CpuContext& cpu = {});

// Null = zero gradient.
struct RasterOutputGrads {
  const float* rgb = nullptr;    // [V, H, W, 3]
  const float* alpha = nullptr;  // [V, H, W]
  const float* depth = nullptr;  // [V, H, W] of the expected depth
};

// Written, not accumulated; all but background required.
struct RasterSplatGrads {
  float* means2d = nullptr;     // [V, N, 2]
  float* depths = nullptr;      // [V, N]
  float* conics = nullptr;      // [V, N, 3]
  float* colors = nullptr;      // [V, N, 3]
  float* opacities = nullptr;   // [V, N]
  float* background = nullptr;  // [V, 3] or null
};

// Floats of scratch for the gradient of one pair; the backward pass needs kPairGradFloats * pairs
// of them.
inline constexpr int kPairGradFloats = 10;

// Deterministic: partial sums per (tile, splat), then summed per splat in tile order. No atomics.
KernelStatus RasterBackward(const RasterArgs& args, const RasterState& state,
                            const RasterOutputGrads& grads, float* pair_grads,
                            const RasterSplatGrads& out, const CpuContext& cpu = {});

}  // namespace gwm::kernels

#endif  // GWM_KERNELS_RASTER_H_
