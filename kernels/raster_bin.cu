// A stable counting pass that deals the pairs of each view, taken in depth order, into tiles.
//
// A warp owns a chunk of consecutive pairs. Pass 1 counts its pairs per tile; a block per view
// turns the counts into places, tile by tile, within a tile chunk by chunk; pass 2 writes. The
// lanes of a warp rank their equal tiles by lane, so that the order in depth stays. No atomics.
#include "kernels/cuda_block.h"
#include "kernels/raster_bin_cuda.h"
#include "kernels/raster_math.h"

namespace gwm::kernels {
namespace {

constexpr int kDealThreads = 128;
constexpr int kPlaceThreads = 1024;
constexpr int kPlaceBatch = 8;  // loads in flight
constexpr int32_t kNoPair = 0x7FFFFFFF;

enum class DealPass { kCount, kWrite };

// Position of the splat that holds `pair`: the last k with offsets[k] <= pair.
__device__ int FindSplat(const int32_t* offsets, int count, int pair) {
  int low = 0, high = count;
  while (high - low > 1) {
    const int middle = low + (high - low) / 2;
    if (offsets[middle] <= pair) {
      low = middle;
    } else {
      high = middle;
    }
  }
  return low;
}

// How many of the warp's 32 ascending `end`s are <= pair, at most 31.
__device__ int CountEnds(int end, int pair) {
  int count = 0;
  for (int step = kWarpThreads / 2; step > 0; step /= 2) {
    const int probe = __shfl_sync(kAllLanes, end, count + step - 1);
    if (probe <= pair) count += step;
  }
  return count;
}

// Tile and slot of pair `q` of a splat.
struct DealtPair {
  int splat, tile, slot;
};
__device__ DealtPair PairOf(const RasterArgs& args, const RasterCudaState& state, int64_t view,
                            int position, int q) {
  const int64_t n = args.num_gaussians;
  DealtPair pair;
  pair.splat = state.order[view * n + position];
  const TileRect rect = TilesOf(state.tile_boxes + 4 * (view * n + pair.splat));
  const int columns = rect.x1 - rect.x0;
  const int tiles_x = (args.width + kTileWidth - 1) / kTileWidth;
  pair.tile = (rect.y0 + q / columns) * tiles_x + rect.x0 + q % columns;
  pair.slot = state.splat_offsets[view * (n + 1) + pair.splat] + q;
  return pair;
}

// cursors [X]: of this chunk. kCount: numbers so far. kWrite: next place within each tile.
template <DealPass pass>
__device__ void DealChunk(const RasterArgs& args, const RasterCudaState& state, int64_t view,
                          int64_t tiles, int first, int32_t* cursors) {
  const int32_t* offsets = state.order_offsets + view * (args.num_gaussians + 1);
  const int32_t* tile_offsets = state.tile_offsets + view * (tiles + 1);
  const int count = state.num_ordered[view];
  const int last = min(offsets[count], first + kPairsPerChunk);
  int position = first < last ? FindSplat(offsets, count, first) : 0;
  for (int base = first; base < last; base += kWarpThreads) {
    const int pair = base + LaneId();
    const int next = position + 1 + LaneId();
    const int end = next <= count ? offsets[next] : kNoPair;
    const int own = position + CountEnds(end, pair);
    DealtPair dealt = {0, -1, 0};
    if (pair < last) dealt = PairOf(args, state, view, own, pair - offsets[own]);
    const unsigned peers = __match_any_sync(kAllLanes, dealt.tile);
    const int rank = __popc(peers & LowerLanes());
    if (pass == DealPass::kWrite && pair < last) {
      const int64_t place =
          view * state.pair_capacity + tile_offsets[dealt.tile] + cursors[dealt.tile] + rank;
      state.pair_splats[place] = dealt.splat;
      state.pair_slots[place] = dealt.slot;
    }
    __syncwarp();
    if (pair < last && rank == 0) cursors[dealt.tile] += __popc(peers);
    __syncwarp();
    position += __popc(__ballot_sync(kAllLanes, end <= base + kWarpThreads));
  }
}

template <DealPass pass>
__global__ void __launch_bounds__(kDealThreads)
    DealKernel(RasterArgs args, RasterCudaState state, int64_t tiles, int64_t chunks) {
  const int64_t warp = GridIndex() / kWarpThreads;
  const int64_t view = warp / chunks;
  if (view >= args.num_views) return;
  int32_t* cursors = state.chunk_counts + warp * tiles;
  if (pass == DealPass::kCount) {
    for (int64_t tile = LaneId(); tile < tiles; tile += kWarpThreads) cursors[tile] = 0;
    __syncwarp();
  }
  DealChunk<pass>(args, state, view, tiles, static_cast<int>(warp % chunks * kPairsPerChunk),
                  cursors);
}

// Turns the counts of one tile, [chunks] at a distance of `tiles`, into places; returns their sum.
__device__ int PlaceTile(int32_t* counts, int chunks, int64_t tiles) {
  int sum = 0;
  for (int first = 0; first < chunks; first += kPlaceBatch) {
    int batch[kPlaceBatch];
    GWM_UNROLL
    for (int k = 0; k < kPlaceBatch; ++k) {
      batch[k] = first + k < chunks ? counts[(first + k) * tiles] : 0;
    }
    GWM_UNROLL
    for (int k = 0; k < kPlaceBatch; ++k) {
      if (first + k < chunks) counts[(first + k) * tiles] = sum;
      sum += batch[k];
    }
  }
  return sum;
}

__global__ void __launch_bounds__(kPlaceThreads)
    PlaceKernel(RasterArgs args, RasterCudaState state, int64_t tiles, int64_t chunks) {
  __shared__ int warp_totals[kWarpThreads];
  const int64_t view = blockIdx.x;
  const int64_t n = args.num_gaussians;
  const int pairs = state.order_offsets[view * (n + 1) + state.num_ordered[view]];
  const int used = (pairs + kPairsPerChunk - 1) / kPairsPerChunk;
  int32_t* offsets = state.tile_offsets + view * (tiles + 1);
  int carry = 0;
  for (int64_t base = 0; base < tiles; base += kPlaceThreads) {
    const int64_t tile = base + threadIdx.x;
    const int total =
        tile < tiles ? PlaceTile(state.chunk_counts + view * chunks * tiles + tile, used, tiles)
                     : 0;
    const ScanResult<int> scan = ScanBlock(total, warp_totals);
    if (tile < tiles) offsets[tile] = carry + scan.before;
    carry += scan.total;
  }
  if (threadIdx.x == 0) offsets[tiles] = carry;
}

}  // namespace

KernelStatus DealPairsCuda(const RasterArgs& args, const RasterCudaState& state, GpuStream stream) {
  const int64_t tiles = NumTiles(args.width, args.height);
  const int64_t chunks = NumPairChunks(state.pair_capacity);
  const int64_t warps_per_block = kDealThreads / kWarpThreads;
  const int64_t blocks = (args.num_views * chunks + warps_per_block - 1) / warps_per_block;
  KernelStatus status = KernelStatus::kOk;
  if (chunks > 0) {
    status = Launch(DealKernel<DealPass::kCount>, blocks, kDealThreads, stream, args, state, tiles,
                    chunks);
  }
  if (status == KernelStatus::kOk) {
    status = Launch(PlaceKernel, args.num_views, kPlaceThreads, stream, args, state, tiles, chunks);
  }
  if (status == KernelStatus::kOk && chunks > 0) {
    status = Launch(DealKernel<DealPass::kWrite>, blocks, kDealThreads, stream, args, state, tiles,
                    chunks);
  }
  return status;
}

}  // namespace gwm::kernels
