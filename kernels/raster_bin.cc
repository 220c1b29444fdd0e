// From splats to tile lists: boxes, one depth sort per view, a stable counting pass into tiles.
#include "kernels/raster_bin.h"

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "kernels/parallel.h"
#include "kernels/raster_math.h"

namespace gwm::kernels {
namespace {

constexpr int kRadixBits = 11;
constexpr int kRadixBuckets = 1 << kRadixBits;
constexpr int64_t kSplatGrain = 1024;

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
      state.splat_offsets[i + 1] = NumTilesOf(state.tile_boxes + 4 * i);
    }
  });
  state.splat_offsets[0] = 0;
  for (int64_t i = 0; i < splats; ++i) state.splat_offsets[i + 1] += state.splat_offsets[i];
  return state.splat_offsets[splats];
}

}  // namespace gwm::kernels
