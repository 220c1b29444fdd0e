// One thread per query; the whole warp reads the same target, so the loads broadcast.
#include "kernels/cuda_launch.h"
#include "kernels/nearest.h"

namespace gwm::kernels {
namespace {

__global__ void NearestKernel(NearestArgs args) {
  for (int64_t row = GridIndex(); row < args.batch * args.num_queries; row += GridSize()) {
    const int64_t cloud = row / args.num_queries;
    const int64_t num_queries = args.query_lengths ? args.query_lengths[cloud] : args.num_queries;
    const int64_t num_targets = args.target_lengths ? args.target_lengths[cloud] : args.num_targets;
    const float* query = args.queries + row * args.dims;
    const float* target = args.targets + cloud * args.num_targets * args.dims;
    float best = 0.0f;
    int64_t best_index = -1;
    if (row % args.num_queries < num_queries) {
      for (int64_t j = 0; j < num_targets; ++j, target += args.dims) {
        float sum = (query[0] - target[0]) * (query[0] - target[0]);
        for (int64_t d = 1; d < args.dims; ++d) {
          sum = sum + (query[d] - target[d]) * (query[d] - target[d]);
        }
        if (best_index < 0 || sum < best) {
          best = sum;
          best_index = j;
        }
      }
    }
    args.sqdist[row] = best;
    args.index[row] = best_index;
  }
}

__global__ void QueryGradKernel(NearestBackwardArgs args) {
  for (int64_t row = GridIndex(); row < args.batch * args.num_queries; row += GridSize()) {
    const int64_t j = args.index[row];
    if (j < 0) continue;
    const float* target =
        args.targets + (row / args.num_queries * args.num_targets + j) * args.dims;
    const float weight = 2.0f * args.grad_sqdist[row];
    for (int64_t d = 0; d < args.dims; ++d) {
      args.grad_queries[row * args.dims + d] +=
          weight * (args.queries[row * args.dims + d] - target[d]);
    }
  }
}

// Each target looks for the queries that chose it, in index order: no atomics, same order as the
// CPU.
__global__ void TargetGradKernel(NearestBackwardArgs args) {
  for (int64_t target = GridIndex(); target < args.batch * args.num_targets; target += GridSize()) {
    const int64_t cloud = target / args.num_targets;
    const int64_t j = target % args.num_targets;
    for (int64_t row = cloud * args.num_queries; row < (cloud + 1) * args.num_queries; ++row) {
      if (args.index[row] != j) continue;
      const float weight = 2.0f * args.grad_sqdist[row];
      for (int64_t d = 0; d < args.dims; ++d) {
        args.grad_targets[target * args.dims + d] -=
            weight * (args.queries[row * args.dims + d] - args.targets[target * args.dims + d]);
      }
    }
  }
}

}  // namespace

KernelStatus NearestNeighboursCuda(const NearestArgs& args, GpuStream stream) {
  if (args.batch < 0 || args.num_queries < 0 || args.num_targets < 0 || args.dims < 1) {
    return KernelStatus::kInvalidArgument;
  }
  const int64_t rows = args.batch * args.num_queries;
  if (rows == 0) return KernelStatus::kOk;
  return Launch(NearestKernel, GridFor(rows), kBlockThreads, stream, args);
}

KernelStatus NearestBackwardCuda(const NearestBackwardArgs& args, GpuStream stream) {
  if (args.batch < 0 || args.num_queries < 0 || args.num_targets < 0 || args.dims < 1) {
    return KernelStatus::kInvalidArgument;
  }
  const int64_t rows = args.batch * args.num_queries;
  if (rows == 0 || args.num_targets == 0) return KernelStatus::kOk;
  if (args.grad_queries != nullptr) {
    const KernelStatus status = Launch(QueryGradKernel, GridFor(rows), kBlockThreads, stream, args);
    if (status != KernelStatus::kOk) return status;
  }
  if (args.grad_targets == nullptr) return KernelStatus::kOk;
  return Launch(TargetGradKernel, GridFor(args.batch * args.num_targets), kBlockThreads, stream,
                args);
}

}  // namespace gwm::kernels
