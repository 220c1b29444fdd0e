#include <algorithm>
#include <limits>
#include <vector>

#include "kernels/nearest.h"
#include "kernels/nearest_tree.h"
#include "kernels/parallel.h"

#define GWM_SIMD_BODY "kernels/nearest_body.inc"
#include "kernels/simd_variants.h"

namespace gwm::kernels {
namespace {

// Up to this many targets one linear scan beats building a tree.
constexpr int64_t kBruteForceTargets = 2048;
constexpr int64_t kLeafTargets = 64;
constexpr int64_t kQueryGrain = 128;

using ScanFunction = void (*)(const TargetColumns&, int64_t, int64_t, const float*, NearestTarget*);

float SquaredDistance(const float* a, const float* b, int64_t dims) {
  float sum = (a[0] - b[0]) * (a[0] - b[0]);
  for (int64_t d = 1; d < dims; ++d) sum = sum + (a[d] - b[d]) * (a[d] - b[d]);
  return sum;
}

// Depth first, the nearer child first; a node at exactly the best distance is still visited for its
// lower ids.
void Search(const NearestTree& tree, ScanFunction scan, const float* query,
            NearestTarget* nearest) {
  struct Entry {
    int32_t node;
    float bound;
  };
  Entry stack[64];
  int depth = 0;
  stack[depth++] = {0, 0.0f};
  const TargetColumns columns = tree.columns();
  while (depth > 0) {
    const Entry entry = stack[--depth];
    if (entry.bound > nearest->sqdist) continue;
    const NearestTree::Node& node = tree.nodes()[entry.node];
    if (node.left_child < 0) {
      scan(columns, node.begin, node.end, query, nearest);
      continue;
    }
    Entry near = {node.left_child, tree.LowerBound(node.left_child, query)};
    Entry far = {node.left_child + 1, tree.LowerBound(node.left_child + 1, query)};
    if (far.bound < near.bound) std::swap(near, far);
    stack[depth++] = far;
    stack[depth++] = near;
  }
}

void SearchRows(const NearestArgs& args, const NearestTree& tree, const float* targets,
                int64_t cloud, int64_t begin, int64_t end, ScanFunction scan) {
  const float* queries = args.queries + cloud * args.num_queries * args.dims;
  NearestTarget nearest = {0.0f, 0};
  for (int64_t i = begin; i < end; ++i) {
    const float* query = queries + i * args.dims;
    // The answer of the query before it is a good first bound when neighbours in memory are
    // neighbours in space.
    nearest.sqdist = SquaredDistance(query, targets + nearest.id * args.dims, args.dims);
    Search(tree, scan, query, &nearest);
    args.sqdist[cloud * args.num_queries + i] = nearest.sqdist;
    args.index[cloud * args.num_queries + i] = nearest.id;
  }
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
  const ScanFunction scan = GWM_SIMD_CALL(cpu.simd, ScanRange);
  NearestTree tree;
  for (int64_t b = 0; b < args.batch; ++b) {
    const int64_t num_targets = args.target_lengths ? args.target_lengths[b] : args.num_targets;
    int64_t num_queries = args.query_lengths ? args.query_lengths[b] : args.num_queries;
    if (num_targets == 0) num_queries = 0;
    const int64_t row = b * args.num_queries;
    std::fill(args.sqdist + row + num_queries, args.sqdist + row + args.num_queries, 0.0f);
    std::fill(args.index + row + num_queries, args.index + row + args.num_queries, int64_t{-1});
    if (num_queries == 0) continue;
    const float* targets = args.targets + b * args.num_targets * args.dims;
    tree.Build(targets, num_targets, args.dims,
               num_targets <= kBruteForceTargets ? num_targets : kLeafTargets);
    ParallelFor(cpu.pool, num_queries, kQueryGrain, [&](int64_t begin, int64_t end) {
      SearchRows(args, tree, targets, b, begin, end, scan);
    });
  }
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
