#include <algorithm>
#include <limits>
#include <vector>

#include "kernels/nearest.h"
#include "kernels/nearest_leaves.h"
#include "kernels/parallel.h"

#define GWM_SIMD_BODY "kernels/nearest_body.inc"
#include "kernels/simd_variants.h"

namespace gwm::kernels {
namespace {

// Sixteen queries at a time; a few groups more than threads keep both busy to the end.
constexpr int64_t kGroupGrain = 32;

// Sorting costs about as much per point as this many distances.
constexpr int64_t kPairsPerSortedPoint = 300;
bool BruteForcePays(int64_t queries, int64_t targets) {
  return queries * targets <= (queries + targets) * kPairsPerSortedPoint;
}

// What one cloud needs beside its outputs; reused between clouds.
struct Workspace {
  PointSorter query_sorter;
  PointSorter target_sorter;
  BoxLevels boxes;
};

void SearchCloud(const NearestArgs& args, int64_t cloud, const CpuContext& cpu, Workspace* work) {
  const int64_t num_targets = args.target_lengths ? args.target_lengths[cloud] : args.num_targets;
  int64_t num_queries = args.query_lengths ? args.query_lengths[cloud] : args.num_queries;
  if (num_targets == 0) num_queries = 0;
  float* sqdist = args.sqdist + cloud * args.num_queries;
  int64_t* index = args.index + cloud * args.num_queries;
  std::fill(sqdist + num_queries, sqdist + args.num_queries, 0.0f);
  std::fill(index + num_queries, index + args.num_queries, int64_t{-1});
  if (num_queries == 0) return;

  const bool brute = BruteForcePays(num_queries, num_targets);
  const auto order = brute ? PointSorter::Order::kRows : PointSorter::Order::kMorton;
  const std::vector<BoxLevel> no_boxes;
  NearestSearch search = {
      .levels = brute ? &no_boxes : &work->boxes.levels(), .sqdist = sqdist, .index = index};
  ParallelFor(brute ? nullptr : cpu.pool, 2, 1, [&](int64_t part, int64_t) {
    if (part == 0) {
      search.targets = work->target_sorter.Sort(args.targets + cloud * args.num_targets * args.dims,
                                                num_targets, args.dims, order, cpu.simd);
      if (!brute) work->boxes.Build(search.targets, cpu.simd);
    } else {
      search.queries = work->query_sorter.Sort(args.queries + cloud * args.num_queries * args.dims,
                                               num_queries, args.dims, order, cpu.simd);
    }
  });
  const auto answer = GWM_SIMD_CALL(cpu.simd, SearchGroups);
  ParallelFor(cpu.pool, search.queries.stride / 16, kGroupGrain, [&](int64_t begin, int64_t end) {
    std::vector<float> buffer(18 * args.dims);
    answer(search, begin, end, buffer.data());
  });
}

bool Valid(const NearestArgs& args) {
  if (args.batch < 0 || args.num_queries < 0 || args.num_targets < 0 || args.dims < 1) return false;
  if (args.num_targets >= std::numeric_limits<int32_t>::max()) return false;
  for (int64_t b = 0; b < args.batch; ++b) {
    const int64_t queries = args.query_lengths ? args.query_lengths[b] : 0;
    const int64_t targets = args.target_lengths ? args.target_lengths[b] : 0;
    if (queries < 0 || queries > args.num_queries) return false;
    if (targets < 0 || targets > args.num_targets) return false;
  }
  return true;
}

void BackwardCloud(const NearestBackwardArgs& args, int64_t cloud) {
  const float* targets = args.targets + cloud * args.num_targets * args.dims;
  for (int64_t row = cloud * args.num_queries; row < (cloud + 1) * args.num_queries; ++row) {
    const int64_t j = args.index[row];
    if (j < 0) continue;
    const float weight = 2.0f * args.grad_sqdist[row];
    for (int64_t d = 0; d < args.dims; ++d) {
      const float g = weight * (args.queries[row * args.dims + d] - targets[j * args.dims + d]);
      if (args.grad_queries != nullptr) args.grad_queries[row * args.dims + d] += g;
      if (args.grad_targets != nullptr) {
        args.grad_targets[(cloud * args.num_targets + j) * args.dims + d] -= g;
      }
    }
  }
}

}  // namespace

KernelStatus NearestNeighbours(const NearestArgs& args, const CpuContext& cpu) {
  if (!Valid(args)) return KernelStatus::kInvalidArgument;
  // One thread per cloud costs less waiting than all threads at each cloud.
  const bool by_cloud = cpu.pool != nullptr && args.batch >= 2 * cpu.pool->threads();
  const CpuContext inner = {.simd = cpu.simd, .pool = by_cloud ? nullptr : cpu.pool};
  const int64_t grain = by_cloud ? 1 : std::max<int64_t>(1, args.batch);
  ParallelFor(by_cloud ? cpu.pool : nullptr, args.batch, grain, [&](int64_t begin, int64_t end) {
    Workspace work;
    for (int64_t b = begin; b < end; ++b) SearchCloud(args, b, inner, &work);
  });
  return KernelStatus::kOk;
}

KernelStatus NearestBackward(const NearestBackwardArgs& args, const CpuContext& cpu) {
  if (args.batch < 0 || args.num_queries < 0 || args.num_targets < 0 || args.dims < 1) {
    return KernelStatus::kInvalidArgument;
  }
  ParallelFor(cpu.pool, args.batch, 1, [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b) BackwardCloud(args, b);
  });
  return KernelStatus::kOk;
}

}  // namespace gwm::kernels
