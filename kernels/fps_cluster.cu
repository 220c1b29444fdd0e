// Coordinates and running distances stay in registers of up to 16 blocks that share their memory. A
// sample costs one update of the registers, two warp reductions, one block barrier and one cluster
// barrier: each block's farthest point is pushed to all blocks, which agree on the winner by
// themselves.
#include <cooperative_groups.h>

#include <cstdint>

#include "kernels/cuda_block.h"
#include "kernels/fps_cluster_cuda.h"
#include "kernels/host_device.h"

namespace gwm::kernels {
namespace {

constexpr int kFpsThreads = 512;
constexpr int kFpsWarps = kFpsThreads / kWarpThreads;
constexpr int kLargestCluster = 16;  // what Hopper takes when asked
constexpr int kPortableCluster = 8;  // what every device with clusters takes
constexpr int kFewPoints = 4;        // per thread: more blocks rather than more points
constexpr unsigned kNoIndex = 0xFFFFFFFFu;

// A point and its distance to the samples, as bits: those of floats >= 0 are ordered like integers.
struct FarPoint {
  unsigned distance;
  unsigned index;
  float x, y, z;
};
__device__ FarPoint NoPoint() { return {0, kNoIndex, 0, 0, 0}; }
__device__ FarPoint PointAt(const float* cloud, int64_t i) {
  return {0, static_cast<unsigned>(i), cloud[3 * i], cloud[3 * i + 1], cloud[3 * i + 2]};
}

template <int points>
struct OwnedPoints {
  float x[points], y[points], z[points];
  float distance[points];  // -1 beyond the cloud: never the farthest
};

template <int points>
__device__ void LoadPoints(const float* cloud, int length, int first, int stride,
                           OwnedPoints<points>* own) {
  GWM_UNROLL
  for (int s = 0; s < points; ++s) {
    const int i = first + s * stride;
    const bool inside = i < length;
    own->x[s] = inside ? cloud[3 * i] : 0.0f;
    own->y[s] = inside ? cloud[3 * i + 1] : 0.0f;
    own->z[s] = inside ? cloud[3 * i + 2] : 0.0f;
    own->distance[s] = inside ? __uint_as_float(0x7F800000u) : -1.0f;  // infinity
  }
}

// Lowers the distances to the newest sample. Returns the place of the farthest point of this
// thread, the lowest on ties, -1 for none.
template <int points>
__device__ int Relax(const FarPoint& newest, OwnedPoints<points>* own, float* farthest) {
  int place = -1;
  *farthest = -1.0f;
  GWM_UNROLL
  for (int s = 0; s < points; ++s) {
    const float dx = newest.x - own->x[s], dy = newest.y - own->y[s], dz = newest.z - own->z[s];
    const float d = dx * dx + dy * dy + dz * dz;
    own->distance[s] = d < own->distance[s] ? d : own->distance[s];
    if (own->distance[s] > *farthest) {
      *farthest = own->distance[s];
      place = s;
    }
  }
  return place;
}

// The lane with the farthest point of the warp, the lowest index on ties.
__device__ int FarthestLane(const FarPoint& point) {
  const unsigned distance = __reduce_max_sync(kAllLanes, point.distance);
  const unsigned index = point.distance == distance ? point.index : kNoIndex;
  const unsigned lowest = __reduce_min_sync(kAllLanes, index);
  return __ffs(static_cast<int>(__ballot_sync(kAllLanes, index == lowest))) - 1;
}

__device__ FarPoint FromLane(const FarPoint& point, int lane) {
  FarPoint result;
  result.distance = __shfl_sync(kAllLanes, point.distance, lane);
  result.index = __shfl_sync(kAllLanes, point.index, lane);
  result.x = __shfl_sync(kAllLanes, point.x, lane);
  result.y = __shfl_sync(kAllLanes, point.y, lane);
  result.z = __shfl_sync(kAllLanes, point.z, lane);
  return result;
}

// The farthest of a shared list of at most 32.
__device__ FarPoint FarthestOf(const FarPoint* list, int count) {
  FarPoint mine = NoPoint();
  if (LaneId() < count) mine = list[LaneId()];
  return FromLane(mine, FarthestLane(mine));
}

// Finds the farthest point of the warp after `newest` and stores it.
template <int points>
__device__ void StoreFarthest(const FarPoint& newest, int first, int stride,
                              OwnedPoints<points>* own, FarPoint* out) {
  float farthest;
  const int place = Relax(newest, own, &farthest);
  FarPoint mine = NoPoint();
  if (place >= 0) {
    mine.distance = __float_as_uint(farthest);
    mine.index = static_cast<unsigned>(first + place * stride);
  }
  if (FarthestLane(mine) != LaneId()) return;
  // Registers have no addresses: every place is asked.
  GWM_UNROLL
  for (int s = 0; s < points; ++s) {
    if (s != place) continue;
    mine.x = own->x[s];
    mine.y = own->y[s];
    mine.z = own->z[s];
  }
  *out = mine;
}

struct FpsShared {
  FarPoint warp_best[kFpsWarps];
  // Two lists of the blocks' farthest points, so that one cluster barrier per sample is enough.
  FarPoint block_best[2][kLargestCluster];
};

// Outside the template: see __shared__ in tests/kernels/cuda_on_cpu.
__device__ FpsShared* SharedOfThisBlock() {
  __shared__ FpsShared shared;
  return &shared;
}

template <int points>
__global__ void __launch_bounds__(kFpsThreads, 1) FpsClusterKernel(FpsArgs args) {
  FpsShared* const shared = SharedOfThisBlock();
  const cooperative_groups::cluster_group cluster = cooperative_groups::this_cluster();
  const int rank = static_cast<int>(cluster.block_rank());
  const int blocks = static_cast<int>(cluster.num_blocks());
  const int64_t cloud = blockIdx.x / static_cast<unsigned>(blocks);
  const int64_t length = args.lengths ? args.lengths[cloud] : args.num_points;
  const int64_t wanted = args.counts ? args.counts[cloud] : args.num_samples;
  const int64_t count = max(min(length, wanted), int64_t{0});
  const int stride = blocks * kFpsThreads;
  const int first = rank * kFpsThreads + static_cast<int>(threadIdx.x);
  const float* cloud_points = args.points + cloud * args.num_points * 3;
  int64_t* indices = args.indices + cloud * args.num_samples;
  for (int64_t k = count + first; k < args.num_samples; k += stride) indices[k] = -1;
  if (count == 0) return;

  OwnedPoints<points> own;
  LoadPoints(cloud_points, static_cast<int>(length), first, stride, &own);
  FarPoint newest = PointAt(cloud_points, min(args.start, length - 1));
  cluster.sync();  // every block runs, so its shared memory may be written
  for (int64_t k = 0;; ++k) {
    if (first == 0) indices[k] = newest.index;
    if (k + 1 == count) break;
    StoreFarthest(newest, first, stride, &own, shared->warp_best + WarpId());
    __syncthreads();
    FarPoint* const list = shared->block_best[k % 2];
    if (WarpId() == 0) {
      const FarPoint best = FarthestOf(shared->warp_best, kFpsWarps);
      if (LaneId() < blocks) {
        *cluster.map_shared_rank(list + rank, static_cast<unsigned>(LaneId())) = best;
      }
    }
    cluster.sync();
    newest = FarthestOf(list, blocks);
  }
}

using FpsFunction = void (*)(FpsArgs);

struct FpsVariant {
  int points;  // per thread
  FpsFunction kernel;
};
constexpr FpsVariant kVariants[] = {{4, FpsClusterKernel<4>},
                                    {8, FpsClusterKernel<8>},
                                    {16, FpsClusterKernel<16>},
                                    {25, FpsClusterKernel<25>}};

// False when the device takes no such cluster.
bool TryCluster(const FpsArgs& args, int blocks, FpsFunction kernel, GpuStream stream,
                KernelStatus* status) {
  cudaLaunchAttribute attribute = {};
  attribute.id = cudaLaunchAttributeClusterDimension;
  attribute.val.clusterDim.x = static_cast<unsigned>(blocks);
  attribute.val.clusterDim.y = attribute.val.clusterDim.z = 1;
  cudaLaunchConfig_t config = {};
  config.gridDim = dim3(static_cast<unsigned>(args.batch * blocks));
  config.blockDim = dim3(kFpsThreads);
  config.stream = stream;
  config.attrs = &attribute;
  config.numAttrs = 1;
  int clusters = 0;
  const bool allowed = blocks <= kPortableCluster ||
                       cudaFuncSetAttribute(kernel, cudaFuncAttributeNonPortableClusterSizeAllowed,
                                            1) == cudaSuccess;
  if (!allowed || cudaOccupancyMaxActiveClusters(&clusters, kernel, &config) != cudaSuccess ||
      clusters < 1) {
    static_cast<void>(cudaGetLastError());  // not an error of the caller
    return false;
  }
  static_cast<void>(cudaLaunchKernelEx(&config, kernel, args));
  *status = CheckLaunch();
  return true;
}

}  // namespace

bool FpsClusterCuda(const FpsArgs& args, GpuStream stream, KernelStatus* status) {
  if (args.dims != 3) return false;
  int wanted = 1;
  while (wanted < kLargestCluster && wanted * kFpsThreads * kFewPoints < args.num_points)
    wanted *= 2;
  for (const int blocks : {wanted, kPortableCluster}) {
    for (const FpsVariant& variant : kVariants) {
      if (int64_t{1} * blocks * kFpsThreads * variant.points < args.num_points) continue;
      if (TryCluster(args, blocks, variant.kernel, stream, status)) return true;
      break;
    }
    if (wanted <= kPortableCluster) break;
  }
  return false;
}

}  // namespace gwm::kernels
