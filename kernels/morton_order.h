// Points in the order of a Z curve: neighbours in the list are mostly neighbours in space. Farthest
// point sampling and the nearest-neighbour search cut the list into boxes.
#ifndef GWM_KERNELS_MORTON_ORDER_H_
#define GWM_KERNELS_MORTON_ORDER_H_

#include <cstdint>

#include "kernels/simd.h"

namespace gwm::kernels {

// Four caller's arrays of `count` elements each.
struct MortonBuffers {
  uint32_t* keys;   // scratch
  int32_t* order;   // out: a permutation of 0..count-1
  uint32_t* keys2;  // scratch
  int32_t* order2;  // scratch
};

// points [count, dims], count < 2^31. Cells of a grid over the first three columns (fewer when dims
// < 3), sorted stably: O(count), two or three radix passes. The grid spans what a sample of the
// points spans, so a few far outliers fall into the cells at its border and cost no resolution.
// Values that are not finite are sorted somewhere.
//
// The order is a means to speed: no answer may depend on it.
void MortonOrder(const float* points, int64_t count, int64_t dims, SimdLevel simd,
                 const MortonBuffers& buffers);

}  // namespace gwm::kernels

#endif  // GWM_KERNELS_MORTON_ORDER_H_
