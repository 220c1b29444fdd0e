// One block per cloud; the running minimum distances lie in the scratch buffer. For what a cluster
// of blocks (fps_cluster.cu) does not take.
#include "kernels/cuda_launch.h"
#include "kernels/fps.h"
#include "kernels/fps_cluster_cuda.h"

namespace gwm::kernels {
namespace {

constexpr int kFpsThreads = 1024;

struct Candidate {
  float distance;
  int64_t index;
};

// The larger distance, the lower index on ties.
__device__ Candidate Farther(Candidate a, Candidate b) {
  const bool take_b = b.distance > a.distance || (b.distance == a.distance && b.index < a.index);
  return take_b ? b : a;
}

__device__ Candidate WarpFarthest(Candidate best) {
  for (int offset = 16; offset > 0; offset /= 2) {
    Candidate other;
    other.distance = __shfl_down_sync(kAllLanes, best.distance, offset);
    other.index = __shfl_down_sync(kAllLanes, best.index, offset);
    best = Farther(best, other);
  }
  return best;
}

__device__ float SquaredDistance(const float* a, const float* b, int64_t dims) {
  float sum = (a[0] - b[0]) * (a[0] - b[0]);
  for (int64_t d = 1; d < dims; ++d) sum = sum + (a[d] - b[d]) * (a[d] - b[d]);
  return sum;
}

// Lowers this thread's distances to the newest sample and returns the farthest of them.
__device__ Candidate Relax(const float* points, const float* center, int64_t length, int64_t dims,
                           bool first, float* distance) {
  Candidate best = {-1.0f, INT64_MAX};
  for (int64_t i = threadIdx.x; i < length; i += kFpsThreads) {
    const float d = SquaredDistance(center, points + i * dims, dims);
    const float nearest = first || d < distance[i] ? d : distance[i];
    distance[i] = nearest;
    best = Farther(best, {nearest, i});
  }
  return best;
}

__global__ void FpsKernel(FpsArgs args, float* scratch, int64_t scratch_per_cloud) {
  __shared__ Candidate warp_best[kFpsThreads / 32];
  __shared__ int64_t newest;
  const int64_t cloud = blockIdx.x;
  const int64_t length = args.lengths ? args.lengths[cloud] : args.num_points;
  const int64_t wanted = args.counts ? args.counts[cloud] : args.num_samples;
  const int64_t count = min(length, wanted);
  const float* points = args.points + cloud * args.num_points * args.dims;
  float* distance = scratch + cloud * scratch_per_cloud;
  int64_t* indices = args.indices + cloud * args.num_samples;
  for (int64_t k = max(count, int64_t{0}) + threadIdx.x; k < args.num_samples; k += kFpsThreads) {
    indices[k] = -1;
  }
  if (count <= 0) return;
  if (threadIdx.x == 0) indices[0] = newest = min(args.start, length - 1);
  __syncthreads();
  for (int64_t k = 1; k < count; ++k) {
    const Candidate mine =
        Relax(points, points + newest * args.dims, length, args.dims, k == 1, distance);
    const Candidate warp = WarpFarthest(mine);
    if (threadIdx.x % 32 == 0) warp_best[threadIdx.x / 32] = warp;
    __syncthreads();
    if (threadIdx.x < 32) {
      const Candidate best = WarpFarthest(warp_best[threadIdx.x]);
      if (threadIdx.x == 0) indices[k] = newest = best.index;
    }
    __syncthreads();
  }
}

}  // namespace

KernelStatus FarthestPointSampleCuda(const FpsArgs& args, float* scratch, GpuStream stream) {
  if (args.batch < 0 || args.num_points < 0 || args.num_samples < 0 || args.dims < 1 ||
      args.start < 0) {
    return KernelStatus::kInvalidArgument;
  }
  if (args.batch == 0 || args.num_samples == 0) return KernelStatus::kOk;
  KernelStatus status = KernelStatus::kOk;
  if (FpsClusterCuda(args, stream, &status)) return status;
  return Launch(FpsKernel, args.batch, kFpsThreads, stream, args, scratch,
                FpsScratchFloats(args) / args.batch);
}

}  // namespace gwm::kernels
