#include "kernels/nearest_leaves.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "kernels/morton_order.h"

#define GWM_SIMD_BODY "kernels/nearest_leaves_body.inc"
#include "kernels/simd_variants.h"

namespace gwm::kernels {
namespace {

int64_t RoundUp(int64_t n) { return (n + kLeafTargets - 1) / kLeafTargets * kLeafTargets; }

// Columns of rows [*, dims] in the order of `ids`, padded.
void GatherColumns(const float* points, const std::vector<int32_t>& ids, int64_t count,
                   int64_t dims, int64_t stride, float* columns) {
  for (int64_t i = 0; i < count; ++i) {
    const float* point = points + ids[i] * dims;
    for (int64_t d = 0; d < dims; ++d) columns[d * stride + i] = point[d];
  }
  for (int64_t d = 0; d < dims; ++d) {
    float* column = columns + d * stride;
    std::fill(column + count, column + stride, column[count - 1]);
  }
}

}  // namespace

SortedPoints PointSorter::Sort(const float* points, int64_t count, int64_t dims, Order order,
                               SimdLevel simd) {
  const int64_t stride = RoundUp(count);
  ids_.resize(stride);
  columns_.resize(stride * dims);
  if (order == Order::kMorton) {
    keys_.resize(2 * count);
    spare_.resize(count);
    MortonOrder(points, count, dims, simd,
                {keys_.data(), ids_.data(), keys_.data() + count, spare_.data()});
  } else {
    std::iota(ids_.begin(), ids_.begin() + count, 0);
  }
  std::fill(ids_.begin() + count, ids_.begin() + stride, std::numeric_limits<int32_t>::max());
  GatherColumns(points, ids_, count, dims, stride, columns_.data());
  return {columns_.data(), ids_.data(), count, dims, stride};
}

void BoxLevels::Build(const SortedPoints& targets, SimdLevel simd) {
  int64_t floats = 0;
  for (int64_t nodes = targets.stride; nodes > kLeafTargets || floats == 0;) {
    nodes = RoundUp(nodes) / kLeafTargets;
    floats += 2 * targets.dims * RoundUp(nodes);
  }
  boxes_.resize(floats);
  levels_.clear();
  const auto join = GWM_SIMD_CALL(simd, JoinSixteens);
  BoxLevel below = {targets.columns, targets.columns, targets.stride, targets.stride};
  for (float* boxes = boxes_.data(); below.nodes > kLeafTargets || levels_.empty();) {
    const int64_t nodes = RoundUp(below.nodes) / kLeafTargets, stride = RoundUp(nodes);
    float *low = boxes, *high = low + targets.dims * stride;
    for (int64_t d = 0; d < targets.dims; ++d) {
      join(below.low + d * below.stride, below.high + d * below.stride, nodes, low + d * stride,
           high + d * stride);
      std::fill(low + d * stride + nodes, low + (d + 1) * stride, low[d * stride + nodes - 1]);
      std::fill(high + d * stride + nodes, high + (d + 1) * stride, high[d * stride + nodes - 1]);
    }
    below = {low, high, nodes, stride};
    levels_.push_back(below);
    boxes = high + targets.dims * stride;
  }
}

}  // namespace gwm::kernels
