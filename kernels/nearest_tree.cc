#include "kernels/nearest_tree.h"

#include <algorithm>
#include <limits>
#include <numeric>

namespace gwm::kernels {
namespace {
constexpr int64_t kLanes = 16;
int64_t RoundUpToLanes(int64_t n) { return (n + kLanes - 1) / kLanes * kLanes; }
}  // namespace

void NearestTree::Build(const float* points, int64_t count, int64_t dims, int64_t max_leaf) {
  points_ = points;
  dims_ = dims;
  next_column_ = 0;
  // A split halves its range, so a leaf holds more than max_leaf / 2 targets unless it is the only
  // one.
  const int64_t most_leaves = std::max<int64_t>(1, 2 * count / std::max<int64_t>(1, max_leaf) + 1);
  stride_ = RoundUpToLanes(count) + most_leaves * kLanes;
  columns_.assign(stride_ * dims, std::numeric_limits<float>::infinity());
  ids_.assign(stride_, std::numeric_limits<int32_t>::max());
  order_.resize(count);
  std::iota(order_.begin(), order_.end(), 0);
  nodes_.assign(1, Node{});
  boxes_.assign(2 * dims, 0.0f);
  Split(0, 0, count, max_leaf);
}

void NearestTree::Split(int32_t node, int64_t begin, int64_t end, int64_t max_leaf) {
  const int64_t axis = WidestAxis(node, begin, end);
  if (end - begin <= max_leaf) {
    FillLeaf(node, begin, end);
    return;
  }
  const int64_t middle = begin + (end - begin) / 2;
  std::nth_element(
      order_.begin() + begin, order_.begin() + middle, order_.begin() + end,
      [&](int32_t a, int32_t b) { return points_[a * dims_ + axis] < points_[b * dims_ + axis]; });
  const int32_t left = static_cast<int32_t>(nodes_.size());
  nodes_[node] = {0, 0, left};
  nodes_.resize(nodes_.size() + 2);
  boxes_.resize(nodes_.size() * 2 * dims_);
  Split(left, begin, middle, max_leaf);
  Split(left + 1, middle, end, max_leaf);
}

int64_t NearestTree::WidestAxis(int32_t node, int64_t begin, int64_t end) {
  float* low = &boxes_[node * 2 * dims_];
  float* high = low + dims_;
  std::fill(low, low + dims_, std::numeric_limits<float>::infinity());
  std::fill(high, high + dims_, -std::numeric_limits<float>::infinity());
  for (int64_t i = begin; i < end; ++i) {
    const float* p = points_ + order_[i] * dims_;
    for (int64_t d = 0; d < dims_; ++d) {
      low[d] = std::min(low[d], p[d]);
      high[d] = std::max(high[d], p[d]);
    }
  }
  int64_t axis = 0;
  for (int64_t d = 1; d < dims_; ++d) {
    if (high[d] - low[d] > high[axis] - low[axis]) axis = d;
  }
  return axis;
}

void NearestTree::FillLeaf(int32_t node, int64_t begin, int64_t end) {
  const int64_t column = next_column_;
  for (int64_t i = begin; i < end; ++i) {
    const int64_t slot = column + i - begin;
    ids_[slot] = order_[i];
    for (int64_t d = 0; d < dims_; ++d) {
      columns_[d * stride_ + slot] = points_[order_[i] * dims_ + d];
    }
  }
  next_column_ += RoundUpToLanes(end - begin);
  nodes_[node] = {column, next_column_, -1};
}

float NearestTree::LowerBound(int32_t node, const float* query) const {
  const float* low = &boxes_[node * 2 * dims_];
  const float* high = low + dims_;
  float sum = 0.0f;
  for (int64_t d = 0; d < dims_; ++d) {
    const float gap = std::max({low[d] - query[d], query[d] - high[d], 0.0f});
    sum = sum + gap * gap;
  }
  return sum;
}

}  // namespace gwm::kernels
