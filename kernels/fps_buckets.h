// Farthest point sampling of one cloud by boxes of neighbouring points. Internal to fps_cpu.cc.
//
// Each bucket keeps its bounding box, its farthest point and that point's distance to the samples.
// A new sample reaches a bucket in one of three ways:
//   - its distance to the box is not below the largest distance inside: nothing in it can change;
//   - it does not come nearer to the bucket's farthest point, which then stays the farthest: the
//     sample is only noted down;
//   - otherwise the noted samples and the new one are applied to all points of the bucket.
// The bound of a box needs no margin: it takes the steps of the distance (subtract, square, add,
// axis by axis), each of which rounds monotonically, from a coordinate at least as near. So it is
// never above the rounded distance of a point inside, and all indices equal those of brute force.
#ifndef GWM_KERNELS_FPS_BUCKETS_H_
#define GWM_KERNELS_FPS_BUCKETS_H_

#include <cstdint>

#include "kernels/simd.h"

namespace gwm::kernels {

// Floats of scratch for one cloud of `points` points of three columns.
int64_t FpsBucketScratchFloats(int64_t points);

// Whether buckets are expected to beat O(points samples) brute force.
bool FpsBucketsPay(int64_t points, int64_t samples);

// points [n, 3], 1 <= n < 2^31; indices [count], count >= 1. O(n) to build, then about
// O(count n / bucket size) as long as most boxes are small.
void SampleByBuckets(const float* points, int64_t n, int64_t start, int64_t count, float* scratch,
                     SimdLevel simd, int64_t* indices);

}  // namespace gwm::kernels

#endif  // GWM_KERNELS_FPS_BUCKETS_H_
