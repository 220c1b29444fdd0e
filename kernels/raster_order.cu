// Boxes of the splats, then one stable depth sort per view: a block per view, radix of 8 bits, four
// passes. Each warp owns a contiguous piece of the list and a histogram of its own.
#include "kernels/cuda_block.h"
#include "kernels/raster_bin_cuda.h"
#include "kernels/raster_math.h"

namespace gwm::kernels {
namespace {

constexpr int kSortThreads = 1024;
constexpr int kSortWarps = kSortThreads / kWarpThreads;
constexpr int kDigitBits = 8;
constexpr int kDigits = 1 << kDigitBits;
constexpr int64_t kMaxPairs = 0x7FFFFFFF;

__global__ void BoxKernel(RasterArgs args, int32_t* tile_boxes) {
  for (int64_t i = GridIndex(); i < args.num_views * args.num_gaussians; i += GridSize()) {
    int32_t box[4];
    SplatBox(args, i, box);
    for (int c = 0; c < 4; ++c) tile_boxes[4 * i + c] = box[c];
  }
}

union ScanScratch {
  int64_t wide[kWarpThreads];
  int narrow[kWarpThreads];
};

// The arrays of one view.
struct ViewLists {
  const int32_t* boxes;
  const float* depths;
  int32_t* splat_offsets;
  uint64_t* entries;
  int32_t* order;
  int32_t* order_offsets;
};

__device__ ViewLists ListsOf(const RasterArgs& args, const RasterCudaState& state, int64_t view) {
  const int64_t n = args.num_gaussians;
  return {state.tile_boxes + 4 * view * n,
          args.splats.depths + view * n,
          state.splat_offsets + view * (n + 1),
          state.sort_entries + 2 * view * n,
          state.order + view * n,
          state.order_offsets + view * (n + 1)};
}

// Pair slots of the splats, and the list to sort: (depth, splat) of those that touch a tile, in
// index order. Returns its length, 0 when the pairs do not fit.
__device__ int ListSplats(const ViewLists& view, int64_t n, int64_t capacity, int32_t* pairs_needed,
                          ScanScratch* scratch) {
  const IndexRange part = PartOf(n, static_cast<int>(threadIdx.x), kSortThreads);
  int64_t pairs = 0;
  int visible = 0;
  for (int64_t j = part.begin; j < part.end; ++j) {
    const int64_t tiles = NumTilesOf(view.boxes + 4 * j);
    pairs += tiles;
    visible += tiles > 0 ? 1 : 0;
  }
  const ScanResult<int64_t> slots = ScanBlock(pairs, scratch->wide);
  const ScanResult<int> ranks = ScanBlock(visible, scratch->narrow);
  const bool fits = slots.total <= capacity;
  int64_t slot = slots.before;
  int rank = ranks.before;
  for (int64_t j = part.begin; j < part.end; ++j) {
    const int64_t tiles = NumTilesOf(view.boxes + 4 * j);
    view.splat_offsets[j] = fits ? static_cast<int32_t>(slot) : 0;
    slot += tiles;
    if (tiles == 0 || !fits) continue;
    // Depths are positive, so their bits are ordered like integers.
    const uint64_t key = __float_as_uint(view.depths[j]);
    view.entries[rank++] = key << 32 | static_cast<uint64_t>(j);
  }
  if (threadIdx.x == 0) {
    view.splat_offsets[n] = fits ? static_cast<int32_t>(slots.total) : 0;
    *pairs_needed = static_cast<int32_t>(min(slots.total, kMaxPairs));
  }
  return fits ? ranks.total : 0;
}

// Lanes of the warp with the same digit as this one; `digit` is kDigits for an idle lane.
struct DigitPeers {
  int rank;  // of this lane among them
  int count;
  bool leads;  // the first of them
};
__device__ DigitPeers PeersOf(int digit) {
  const unsigned peers = __match_any_sync(kAllLanes, digit);
  DigitPeers result;
  result.rank = __popc(peers & LowerLanes());
  result.count = __popc(peers);
  result.leads = digit < kDigits && result.rank == 0;
  return result;
}

__device__ int DigitAt(const uint64_t* entries, int64_t i, int64_t end, int shift) {
  return i < end ? static_cast<int>(entries[i] >> shift & (kDigits - 1)) : kDigits;
}

// counts [kSortWarps][kDigits]: from numbers to places, digit by digit, within a digit warp by
// warp.
__device__ void CountsToPlaces(int (*counts)[kDigits], ScanScratch* scratch) {
  const int digit = static_cast<int>(threadIdx.x);
  int total = 0;
  for (int warp = 0; digit < kDigits && warp < kSortWarps; ++warp) total += counts[warp][digit];
  int place = ScanBlock(total, scratch->narrow).before;
  for (int warp = 0; digit < kDigits && warp < kSortWarps; ++warp) {
    const int count = counts[warp][digit];
    counts[warp][digit] = place;
    place += count;
  }
}

__device__ void SortPass(const uint64_t* from, uint64_t* to, int n, int shift,
                         int (*counts)[kDigits], ScanScratch* scratch) {
  const IndexRange part = PartOf(n, WarpId(), kSortWarps);
  int* own = counts[WarpId()];
  for (int digit = LaneId(); digit < kDigits; digit += kWarpThreads) own[digit] = 0;
  __syncwarp();
  for (int64_t i = part.begin + LaneId(); i - LaneId() < part.end; i += kWarpThreads) {
    const int digit = DigitAt(from, i, part.end, shift);
    const DigitPeers peers = PeersOf(digit);
    if (peers.leads) own[digit] += peers.count;
    __syncwarp();
  }
  __syncthreads();
  CountsToPlaces(counts, scratch);
  __syncthreads();
  for (int64_t i = part.begin + LaneId(); i - LaneId() < part.end; i += kWarpThreads) {
    const int digit = DigitAt(from, i, part.end, shift);
    const DigitPeers peers = PeersOf(digit);
    if (digit < kDigits) to[own[digit] + peers.rank] = from[i];
    __syncwarp();
    if (peers.leads) own[digit] += peers.count;
    __syncwarp();
  }
  __syncthreads();
}

__device__ void StoreOrder(const ViewLists& view, int count, ScanScratch* scratch) {
  const IndexRange part = PartOf(count, static_cast<int>(threadIdx.x), kSortThreads);
  int pairs = 0;
  for (int64_t k = part.begin; k < part.end; ++k) {
    const int32_t splat = static_cast<int32_t>(view.entries[k] & 0xFFFFFFFFu);
    view.order[k] = splat;
    pairs += view.splat_offsets[splat + 1] - view.splat_offsets[splat];
  }
  const ScanResult<int> scan = ScanBlock(pairs, scratch->narrow);
  int offset = scan.before;
  for (int64_t k = part.begin; k < part.end; ++k) {
    const int32_t splat = view.order[k];
    view.order_offsets[k] = offset;
    offset += view.splat_offsets[splat + 1] - view.splat_offsets[splat];
  }
  if (threadIdx.x == 0) view.order_offsets[count] = scan.total;
}

__global__ void __launch_bounds__(kSortThreads, 1)
    OrderKernel(RasterArgs args, RasterCudaState state) {
  __shared__ int counts[kSortWarps][kDigits];
  __shared__ ScanScratch scratch;
  const int64_t v = blockIdx.x;
  const ViewLists view = ListsOf(args, state, v);
  const int count =
      ListSplats(view, args.num_gaussians, state.pair_capacity, state.pairs_needed + v, &scratch);
  __syncthreads();
  uint64_t* from = view.entries;
  uint64_t* to = view.entries + args.num_gaussians;
  for (int shift = 32; shift < 64; shift += kDigitBits) {
    SortPass(from, to, count, shift, counts, &scratch);
    uint64_t* const sorted = to;
    to = from;
    from = sorted;
  }
  // An even number of passes: the result lies where the list began.
  StoreOrder(view, count, &scratch);
  if (threadIdx.x == 0) state.num_ordered[v] = count;
}

}  // namespace

KernelStatus OrderSplatsCuda(const RasterArgs& args, const RasterCudaState& state,
                             GpuStream stream) {
  const int64_t splats = args.num_views * args.num_gaussians;
  if (splats > 0) {
    const KernelStatus status =
        Launch(BoxKernel, GridFor(splats), kBlockThreads, stream, args, state.tile_boxes);
    if (status != KernelStatus::kOk) return status;
  }
  return Launch(OrderKernel, args.num_views, kSortThreads, stream, args, state);
}

}  // namespace gwm::kernels
