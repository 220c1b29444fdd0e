// Targets in leaves of sixteen, and boxes over them: what the nearest-neighbour search walks.
// Internal to nearest_cpu.cc.
#ifndef GWM_KERNELS_NEAREST_LEAVES_H_
#define GWM_KERNELS_NEAREST_LEAVES_H_

#include <cstdint>
#include <vector>

#include "kernels/simd.h"

namespace gwm::kernels {

constexpr int64_t kLeafTargets = 16;  // targets of a leaf, children of a node

// Borrowed view of rows sorted into columns: columns [dims, stride], ids [stride]. stride is a
// multiple of 16; padding repeats the last row under the largest id.
struct SortedPoints {
  const float* columns;
  const int32_t* ids;  // original rows
  int64_t count;
  int64_t dims;
  int64_t stride;
};

// Borrowed view of one level of boxes, by columns: low, high [dims, stride]. Node k spans the
// nodes 16 k ..< 16 (k + 1) of the level below, a leaf of level 0 as many targets.
struct BoxLevel {
  const float* low;
  const float* high;
  int64_t nodes;
  int64_t stride;  // multiple of 16
};

// Rows copied into columns, along a Z curve or as they are. Buffers only grow.
class PointSorter {
 public:
  enum class Order { kRows, kMorton };

  // points [count, dims], count >= 1. O(count dims).
  SortedPoints Sort(const float* points, int64_t count, int64_t dims, Order order, SimdLevel simd);

 private:
  std::vector<int32_t> ids_;
  std::vector<float> columns_;
  std::vector<uint32_t> keys_;
  std::vector<int32_t> spare_;
};

// Boxes over sorted targets, level by level until at most sixteen nodes are left. Buffers only
// grow.
class BoxLevels {
 public:
  // O(count dims).
  void Build(const SortedPoints& targets, SimdLevel simd);

  // Lowest first.
  const std::vector<BoxLevel>& levels() const { return levels_; }

 private:
  std::vector<BoxLevel> levels_;
  std::vector<float> boxes_;
};

// One search of all queries among all targets. Without levels the targets must be in the order of
// their rows.
struct NearestSearch {
  SortedPoints queries, targets;
  const std::vector<BoxLevel>* levels;
  float* sqdist;   // out, by original row of the query
  int64_t* index;  // out, by original row of the query
};

}  // namespace gwm::kernels

#endif  // GWM_KERNELS_NEAREST_LEAVES_H_
