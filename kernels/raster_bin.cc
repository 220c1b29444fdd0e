// From splats to tile lists: boxes, one depth sort per view, a stable counting pass into tiles.
#include "kernels/raster_bin.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>
#include <vector>

#include "kernels/parallel.h"
#include "kernels/raster_tile.h"

namespace gwm::kernels {
namespace {

constexpr int kRadixBits = 11;
constexpr int kRadixBuckets = 1 << kRadixBits;
constexpr int64_t kSplatGrain = 1024;

int32_t ClampToInt(float x, int low, int high) {
  return static_cast<int32_t>(
      std::min(std::max(x, static_cast<float>(low)), static_cast<float>(high)));
}

// Pixels whose centre lies within `extent` of `center`: [begin, end).
void PixelRange(float center, float extent, int size, int32_t* begin, int32_t* end) {
  *begin = ClampToInt(std::ceil(center - extent - 0.5f), 0, size);
  *end = ClampToInt(std::floor(center + extent - 0.5f) + 1.0f, 0, size);
}

// Tiles that a pixel box touches, in tile coordinates, end exclusive.
struct TileRect {
  int x0, x1, y0, y1;
  int64_t Count() const { return static_cast<int64_t>(x1 - x0) * (y1 - y0); }
};

TileRect TilesOf(const int32_t* box) {
  if (box[0] >= box[1] || box[2] >= box[3]) return {0, 0, 0, 0};
  return {box[0] / kTileWidth, (box[1] - 1) / kTileWidth + 1, box[2] / kTileHeight,
          (box[3] - 1) / kTileHeight + 1};
}

// alpha >= 1/255 needs sigma <= ln(255 o): an ellipse whose box has half widths sqrt(2 ln(255 o))
// sigma. The margin is far above the rounding of alpha, so no pixel that passes the threshold is
// left out.
void SplatBox(const RasterArgs& args, int64_t i, int32_t* box) {
  std::fill_n(box, 4, 0);
  const float brightest = 255.0f * args.splats.opacities[i];
  if (args.splats.radii[2 * i] <= 0 || !(brightest >= 0.999f)) return;
  const float reach = std::sqrt(2.0f * std::log(std::max(brightest, 1.0f)) + 0.01f);
  const float* mean = args.splats.means2d + 2 * i;
  const float* sigma = args.splats.sigmas + 2 * i;
  PixelRange(mean[0], reach * sigma[0] + 0.01f, args.width, &box[0], &box[1]);
  PixelRange(mean[1], reach * sigma[1] + 0.01f, args.height, &box[2], &box[3]);
}

// Sorts entries (key in the high 32 bits) stably; the result ends in `entries`.
void RadixSort(uint64_t* entries, uint64_t* scratch, int64_t n) {
  std::vector<int64_t> counts(kRadixBuckets);
  for (int shift = 32; shift < 64; shift += kRadixBits) {
    const auto bucket = [shift](uint64_t e) { return (e >> shift) & (kRadixBuckets - 1); };
    std::fill(counts.begin(), counts.end(), 0);
    for (int64_t i = 0; i < n; ++i) ++counts[bucket(entries[i])];
    int64_t sum = 0;
    for (int64_t& count : counts) sum += std::exchange(count, sum);
    for (int64_t i = 0; i < n; ++i) scratch[counts[bucket(entries[i])]++] = entries[i];
    std::swap(entries, scratch);
  }
  // Three passes: the result lies in the other half.
  std::copy_n(entries, n, scratch);
}

// Splats of the view that touch a tile, nearest first. Returns their number.
int64_t SortByDepth(const RasterArgs& args, const RasterState& state, int64_t view) {
  uint64_t* entries = state.sort_entries + view * 2 * args.num_gaussians;
  int64_t count = 0;
  for (int64_t j = 0; j < args.num_gaussians; ++j) {
    const int64_t i = view * args.num_gaussians + j;
    if (state.splat_offsets[i + 1] == state.splat_offsets[i]) continue;
    uint32_t key;  // depths are positive, so their bits are ordered like integers
    std::memcpy(&key, args.splats.depths + i, sizeof(key));
    entries[count++] = static_cast<uint64_t>(key) << 32 | static_cast<uint64_t>(j);
  }
  RadixSort(entries, entries + args.num_gaussians, count);
  return count;
}

template <typename Visit>
void ForEachTile(const RasterState& state, int64_t splat, int tiles_x, const Visit& visit) {
  const TileRect rect = TilesOf(state.tile_boxes + 4 * splat);
  for (int y = rect.y0; y < rect.y1; ++y) {
    for (int x = rect.x0; x < rect.x1; ++x) visit(static_cast<int64_t>(y) * tiles_x + x);
  }
}

// Leaves in tile_offsets[t] the end of tile t: the caller shifts them by one.
void DealView(const RasterArgs& args, const RasterState& state, int64_t view) {
  const int tiles_x = (args.width + kTileWidth - 1) / kTileWidth;
  const int64_t tiles = NumTiles(args.width, args.height);
  const int64_t first = view * args.num_gaussians;
  int64_t* cursor = state.tile_offsets + view * tiles;
  std::fill_n(cursor, tiles, 0);
  for (int64_t j = 0; j < args.num_gaussians; ++j) {
    ForEachTile(state, first + j, tiles_x, [&](int64_t tile) { ++cursor[tile]; });
  }
  int64_t sum = state.splat_offsets[first];
  for (int64_t t = 0; t < tiles; ++t) sum += std::exchange(cursor[t], sum);
  const int64_t count = SortByDepth(args, state, view);
  const uint64_t* entries = state.sort_entries + view * 2 * args.num_gaussians;
  for (int64_t k = 0; k < count; ++k) {
    const int64_t j = static_cast<int64_t>(entries[k] & 0xFFFFFFFFu);
    int64_t slot = state.splat_offsets[first + j];
    ForEachTile(state, first + j, tiles_x, [&](int64_t tile) {
      const int64_t pair = cursor[tile]++;
      state.pair_splats[pair] = static_cast<int32_t>(j);
      state.pair_slots[pair] = slot++;
    });
  }
}

}  // namespace

void BuildTileLists(const RasterArgs& args, const RasterState& state, ThreadPool* pool) {
  ParallelFor(pool, args.num_views, 1, [&](int64_t begin, int64_t end) {
    for (int64_t v = begin; v < end; ++v) DealView(args, state, v);
  });
  const int64_t tiles = args.num_views * NumTiles(args.width, args.height);
  std::copy_backward(state.tile_offsets, state.tile_offsets + tiles,
                     state.tile_offsets + tiles + 1);
  state.tile_offsets[0] = 0;
}

int64_t CountRasterPairs(const RasterArgs& args, const RasterState& state, const CpuContext& cpu) {
  const int64_t splats = args.num_views * args.num_gaussians;
  ParallelFor(cpu.pool, splats, kSplatGrain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      SplatBox(args, i, state.tile_boxes + 4 * i);
      state.splat_offsets[i + 1] = TilesOf(state.tile_boxes + 4 * i).Count();
    }
  });
  state.splat_offsets[0] = 0;
  for (int64_t i = 0; i < splats; ++i) state.splat_offsets[i + 1] += state.splat_offsets[i];
  return state.splat_offsets[splats];
}

}  // namespace gwm::kernels
