// 16 threads per tile, a thread per column of 8 pixels. A splat's sums over the rows stay in a
// thread and its sums over the columns are one tree of four shuffles: the order of the CPU, so the
// same bits, and the cost of the tree is shared by eight pixels.
#include "kernels/cuda_block.h"
#include "kernels/raster_cuda.h"
#include "kernels/raster_math.h"
#include "kernels/raster_site_cuda.h"

namespace gwm::kernels {
namespace {

constexpr int kTeamThreads = kTileWidth;  // per tile
constexpr int kTeams = 8;                 // tiles per block
static_assert(2 * kTeamThreads == kWarpThreads);

// A column of pixels on the way from back to front.
struct ColumnGrads {
  float transmittance[kTileHeight];
  // T_final (g_alpha - g_rgb . background) minus the sum of w (g . color_z) over the splats behind.
  float remainder[kTileHeight];
  float grad_color_z[kTileHeight][4];
  int last[kTileHeight];  // 0 outside the image
};

// Returns the length of the list that the column has drawn from.
__device__ int LoadColumn(const RasterArgs& args, const RasterCudaState& state,
                          const RasterOutputGrads& grads, const TileSite& site, int x,
                          ColumnGrads* column) {
  int drawn = 0;
  GWM_UNROLL
  for (int row = 0; row < kTileHeight; ++row) {
    const int y = site.y0 + row;
    const int64_t pixel = (site.view * args.height + y) * args.width + x;
    column->last[row] = 0;
    column->transmittance[row] = column->remainder[row] = 0.0f;
    for (int c = 0; c < 4; ++c) column->grad_color_z[row][c] = 0.0f;
    if (x >= args.width || y >= args.height) continue;
    column->last[row] = state.last_pair[pixel];
    column->transmittance[row] = state.final_transmittance[pixel];
    column->remainder[row] =
        LoadPixelGrad(grads, BackgroundOf(args, site.view), pixel, column->transmittance[row],
                      state.depth_sum[pixel], column->grad_color_z[row]);
    drawn = max(drawn, column->last[row]);
  }
  return drawn;
}

struct ColumnSums {
  float sigma = 0, sigma_y = 0, sigma_yy = 0, opacity = 0;
  float color_z[4] = {};
};

// AddRowGradient of raster_body.inc for one pixel; nothing to add where the splat is not drawn.
__device__ void AddPixelGradient(const PackedSplat& s, int k, float dx, float dy, float max_alpha,
                                 int row, ColumnGrads* column, ColumnSums* sums) {
  const PixelCoverage cover = CoverPixel(s, dx, dy, max_alpha);
  if (!cover.drawn || column->last[row] <= k) return;
  const float inverse = 1.0f / (1.0f - cover.alpha);
  const float before = column->transmittance[row] * inverse;
  const float weight = cover.alpha * before;
  float dot = 0.0f;
  for (int c = 0; c < 4; ++c) {
    sums->color_z[c] = sums->color_z[c] + weight * column->grad_color_z[row][c];
    dot = dot + column->grad_color_z[row][c] * s.color_z[c];
  }
  const float grad_alpha = before * dot + column->remainder[row] * inverse;
  column->transmittance[row] = before;
  column->remainder[row] = column->remainder[row] - weight * dot;
  if (cover.raw > max_alpha) return;  // a clamped alpha passes nothing on
  sums->opacity = sums->opacity + grad_alpha * cover.falloff;
  const float grad_sigma = (0.0f - grad_alpha) * cover.raw;
  const float grad_sigma_y = grad_sigma * dy;
  sums->sigma = sums->sigma + grad_sigma;
  sums->sigma_y = sums->sigma_y + grad_sigma_y;
  sums->sigma_yy = sums->sigma_yy + grad_sigma_y * dy;
}

// Sum over the 16 threads of a team, halves first: the tree of Sum in vec16.inc.
__device__ float SumTeam(float value) {
  for (int half = kTeamThreads / 2; half > 0; half /= 2) {
    value += __shfl_xor_sync(kAllLanes, value, half);
  }
  return value;
}

// The sums over the team's pixels; thread t < kPairGradFloats returns entry t of PairGrad.
__device__ float PairGradEntry(const ColumnSums& sums, float dx, int thread) {
  const float sigma_x = sums.sigma * dx;
  const float parts[kPairGradFloats] = {
      sigma_x,      sums.sigma_y,    sigma_x * dx,    sums.sigma_y * dx, sums.sigma_yy,
      sums.opacity, sums.color_z[0], sums.color_z[1], sums.color_z[2],   sums.color_z[3]};
  float entry = 0.0f;
  GWM_UNROLL
  for (int p = 0; p < kPairGradFloats; ++p) {
    const float sum = SumTeam(parts[p]);
    if (thread == p) entry = sum;
  }
  return entry;
}

// The 16 splats of the list that begin at `base`, staged, back to front; `drawn` <= base for a team
// that has none of them.
__device__ void BackwardBatch(const RasterArgs& args, const PackedSplat* staged,
                              const int32_t* slots, int base, int drawn, int longest,
                              const TileSite& site, ColumnGrads* column, float* view_grads) {
  const int thread = LaneId() % kTeamThreads;
  const float px = static_cast<float>(site.x0 + thread) + 0.5f;
  for (int k = min(base + kTeamThreads, longest) - 1; k >= base; --k) {
    const PackedSplat& s = staged[k - base];
    const bool mine = k < drawn;
    const float dx = mine ? px - s.mean[0] : 0.0f;
    ColumnSums sums;
    GWM_UNROLL
    for (int row = 0; row < kTileHeight; ++row) {
      if (!mine || row < s.row_begin || row >= s.row_end) continue;
      const float dy = static_cast<float>(site.y0 + row) + 0.5f - s.mean[1];
      AddPixelGradient(s, k, dx, dy, args.max_alpha, row, column, &sums);
    }
    const float entry = PairGradEntry(sums, dx, thread);
    if (mine && thread < kPairGradFloats) {
      view_grads[static_cast<int64_t>(slots[k - base]) * kPairGradFloats + thread] = entry;
    }
  }
}

__global__ void __launch_bounds__(kTeams* kTeamThreads)
    CompositeBackwardKernel(RasterArgs args, RasterCudaState state, RasterOutputGrads grads,
                            float* pair_grads, int64_t tiles) {
  __shared__ PackedSplat staged[kTeams][kTeamThreads];
  __shared__ int32_t slots[kTeams][kTeamThreads];
  const int team = static_cast<int>(threadIdx.x) / kTeamThreads;
  const int thread = static_cast<int>(threadIdx.x) % kTeamThreads;
  const int64_t tile = static_cast<int64_t>(blockIdx.x) * kTeams + team;
  const bool exists = tile < args.num_views * tiles;
  TileSite site = Locate(args, state, tiles, exists ? tile : 0);
  float* view_grads = pair_grads + site.view * state.pair_capacity * kPairGradFloats;
  ColumnGrads column;
  int drawn = LoadColumn(args, state, grads, site, site.x0 + thread, &column);
  for (int half = kTeamThreads / 2; half > 0; half /= 2) {
    drawn = max(drawn, __shfl_xor_sync(kAllLanes, drawn, half));
  }
  if (!exists) drawn = site.count = 0;
  // Splats behind the last one drawn have no gradient.
  for (int k = drawn + thread; k < site.count; k += kTeamThreads) {
    const int64_t slot = state.pair_slots[site.begin + k];
    for (int p = 0; p < kPairGradFloats; ++p) view_grads[slot * kPairGradFloats + p] = 0.0f;
  }
  // The two teams of a warp go in step.
  const int longest = max(drawn, __shfl_xor_sync(kAllLanes, drawn, kTeamThreads));
  for (int base = (longest - 1) / kTeamThreads * kTeamThreads; longest > 0 && base >= 0;
       base -= kTeamThreads) {
    __syncwarp();
    if (base + thread < drawn) {
      StageSplat(args, state, site, base + thread, &staged[team][thread]);
      slots[team][thread] = state.pair_slots[site.begin + base + thread];
    }
    __syncwarp();
    BackwardBatch(args, staged[team], slots[team], base, drawn, longest, site, &column, view_grads);
  }
}

// One thread per splat: its tiles in tile order.
__global__ void SumSplatsKernel(RasterArgs args, RasterCudaState state, const PairGrad* pair_grads,
                                RasterSplatGrads out) {
  const int64_t n = args.num_gaussians;
  for (int64_t i = GridIndex(); i < args.num_views * n; i += GridSize()) {
    const int64_t view = i / n;
    const int32_t* offsets = state.splat_offsets + view * (n + 1) + i % n;
    PairGrad sum = {};
    for (int64_t slot = offsets[0]; slot < offsets[1]; ++slot) {
      AddPairGrad(pair_grads[view * state.pair_capacity + slot], &sum);
    }
    StoreSplatGrad(args, sum, i, out);
  }
}

__device__ double SumBlock(double value, double* warp_sums) {
  for (int offset = kWarpThreads / 2; offset > 0; offset /= 2) {
    value += __shfl_xor_sync(kAllLanes, value, offset);
  }
  __syncthreads();  // an earlier sum's parts have been read
  if (LaneId() == 0) warp_sums[WarpId()] = value;
  __syncthreads();
  double sum = 0;
  for (int warp = 0; warp < kBlockThreads / kWarpThreads; ++warp) sum += warp_sums[warp];
  return sum;
}

// One block per view.
__global__ void BackgroundKernel(RasterArgs args, const float* transmittance, const float* grad_rgb,
                                 float* out) {
  __shared__ double warp_sums[kBlockThreads / kWarpThreads];
  const int64_t view = blockIdx.x;
  const int64_t pixels = static_cast<int64_t>(args.width) * args.height;
  double sums[3] = {};
  for (int64_t p = threadIdx.x; grad_rgb != nullptr && p < pixels; p += kBlockThreads) {
    const int64_t pixel = view * pixels + p;
    for (int c = 0; c < 3; ++c) sums[c] += transmittance[pixel] * grad_rgb[3 * pixel + c];
  }
  for (int c = 0; c < 3; ++c) {
    const double sum = SumBlock(sums[c], warp_sums);
    if (threadIdx.x == 0) out[3 * view + c] = static_cast<float>(sum);
  }
}

}  // namespace

KernelStatus RasterBackwardCuda(const RasterArgs& args, const RasterCudaState& state,
                                const RasterOutputGrads& grads, float* pair_grads,
                                const RasterSplatGrads& out, GpuStream stream) {
  if (!ValidRaster(args)) return KernelStatus::kInvalidArgument;
  const int64_t tiles = NumTiles(args.width, args.height);
  const int64_t splats = args.num_views * args.num_gaussians;
  KernelStatus status = KernelStatus::kOk;
  if (args.num_views * tiles > 0) {
    const int64_t blocks = (args.num_views * tiles + kTeams - 1) / kTeams;
    status = Launch(CompositeBackwardKernel, blocks, kTeams * kTeamThreads, stream, args, state,
                    grads, pair_grads, tiles);
  }
  if (status == KernelStatus::kOk && splats > 0) {
    status = Launch(SumSplatsKernel, GridFor(splats), kBlockThreads, stream, args, state,
                    reinterpret_cast<const PairGrad*>(pair_grads), out);
  }
  if (status == KernelStatus::kOk && args.num_views > 0 && out.background != nullptr) {
    status = Launch(BackgroundKernel, args.num_views, kBlockThreads, stream, args,
                    state.final_transmittance, grads.rgb, out.background);
  }
  return status;
}

}  // namespace gwm::kernels
