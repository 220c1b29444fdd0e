// nanoflann's k-d tree: what the nearest neighbours of kernels/ are compared with.
#include <cstdint>
#include <nanoflann.hpp>
#include <thread>

#include "tests/bench/kernels_c_api.h"

namespace {

// nanoflann's view of [N, 3] floats.
struct Points {
  const float* data;
  int64_t count;
  size_t kdtree_get_point_count() const { return static_cast<size_t>(count); }
  float kdtree_get_pt(size_t index, size_t axis) const { return data[3 * index + axis]; }
  template <class Box>
  bool kdtree_get_bbox(Box&) const {
    return false;
  }
};

using Tree =
    nanoflann::KDTreeSingleIndexAdaptor<nanoflann::L2_Simple_Adaptor<float, Points>, Points, 3>;

// Builds a tree over the targets, then asks it for the neighbour of every query.
void TreeNearest(const float* queries, int64_t n, const float* targets, int64_t m, int leaf,
                 float* sqdist, int64_t* index) {
  const Points points{targets, m};
  Tree tree(3, points, nanoflann::KDTreeSingleIndexAdaptorParams(static_cast<size_t>(leaf)));
  for (int64_t i = 0; i < n; ++i) {
    uint32_t found = 0;
    tree.knnSearch(queries + 3 * i, 1, &found, sqdist + i);
    index[i] = found;
  }
}

}  // namespace

extern "C" {

// Nearest neighbours both ways, one thread for each way; arrays as in GwmBenchNearest, batch 1.
GWM_BENCH_EXPORT void GwmBenchTreeBothWays(const float* a, int64_t n, const float* b, int64_t m,
                                           int leaf, float* sqdist_a, int64_t* index_a,
                                           float* sqdist_b, int64_t* index_b) {
  std::thread other([&] { TreeNearest(b, m, a, n, leaf, sqdist_b, index_b); });
  TreeNearest(a, n, b, m, leaf, sqdist_a, index_a);
  other.join();
}

}  // extern "C"
