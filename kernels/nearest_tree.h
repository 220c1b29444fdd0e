// Targets stored by columns for the SIMD scan, and the k-d tree over them. Internal to
// nearest_cpu.cc.
#ifndef GWM_KERNELS_NEAREST_TREE_H_
#define GWM_KERNELS_NEAREST_TREE_H_

#include <cstdint>
#include <vector>

namespace gwm::kernels {

// Borrowed view: columns [dims, stride], ids [stride]; padding has coordinates at infinity and the
// largest id.
struct TargetColumns {
  const float* columns;
  const int32_t* ids;
  int64_t stride;
  int64_t dims;
};

struct NearestTarget {
  float sqdist;
  int32_t id;
};

// A balanced k-d tree with bounding boxes; leaves hold at most 64 targets, padded to 16. Without a
// split (small clouds) it is one leaf with the targets in index order. Reused between clouds:
// buffers only grow.
class NearestTree {
 public:
  struct Node {
    int64_t begin;       // columns of a leaf
    int64_t end;         // = begin for an inner node
    int32_t left_child;  // the right child follows it; unused in a leaf
  };

  // points [count, dims]; `max_leaf` = most targets in a leaf.
  void Build(const float* points, int64_t count, int64_t dims, int64_t max_leaf);

  TargetColumns columns() const { return {columns_.data(), ids_.data(), stride_, dims_}; }
  const std::vector<Node>& nodes() const { return nodes_; }

  // A lower bound of the float distance from the query to every target below a node. Subtraction,
  // product and sum round monotonically and run in the scan's order, so the bound holds for the
  // rounded distances, exactly.
  float LowerBound(int32_t node, const float* query) const;

 private:
  void Split(int32_t node, int64_t begin, int64_t end, int64_t max_leaf);
  void FillLeaf(int32_t node, int64_t begin, int64_t end);
  int64_t WidestAxis(int32_t node, int64_t begin, int64_t end);

  const float* points_ = nullptr;
  int64_t dims_ = 0;
  int64_t stride_ = 0;
  int64_t next_column_ = 0;
  std::vector<int32_t> order_;
  std::vector<Node> nodes_;
  std::vector<float> boxes_;  // [nodes, 2, dims]: lowest, highest corner
  std::vector<float> columns_;
  std::vector<int32_t> ids_;
};

}  // namespace gwm::kernels

#endif  // GWM_KERNELS_NEAREST_TREE_H_
