#include "kernels/fps_buckets.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "kernels/morton_order.h"

namespace gwm::kernels {
namespace {

constexpr int64_t kBucket = 128;
// Samples noted down per bucket before they must be applied.
constexpr int64_t kPending = 15;

// Views into the scratch. Points are columns in bucket order, buckets are columns too.
struct FpsBuckets {
  int64_t points;      // without padding
  int64_t buckets;     // without padding
  float* point[3];     // [padded points]
  float* distance;     // [padded points] to the samples applied; -1 = padding
  int32_t* ids;        // [padded points] original index; unset in the padding
  float* low[3];       // [padded buckets]
  float* high[3];      // [padded buckets]
  float* farthest[3];  // [padded buckets] position of the farthest point
  float* reach;        // [padded buckets] its distance to all samples; -1 = padding
  int32_t* id;         // [padded buckets] its original index, the lowest on ties
  int32_t* noted;      // [padded buckets] samples in `pending`
  float* pending;      // [padded buckets, kPending + 1, 3]
};

}  // namespace
}  // namespace gwm::kernels

#define GWM_SIMD_BODY "kernels/fps_buckets_body.inc"
#include "kernels/simd_variants.h"

namespace gwm::kernels {
namespace {

int64_t RoundUp(int64_t n, int64_t step) { return (n + step - 1) / step * step; }

int64_t PaddedPoints(int64_t n) { return RoundUp(n, kBucket); }
int64_t PaddedBuckets(int64_t n) { return RoundUp(PaddedPoints(n) / kBucket, 16); }
constexpr int64_t kFloatsPerPoint = 5;
constexpr int64_t kLineFloats = 16;
constexpr int64_t kFloatsPerBucket = 12 + 3 * (kPending + 1);

FpsBuckets Carve(int64_t n, float* scratch) {
  FpsBuckets b;
  b.points = n;
  // Loads of a whole cache line that straddle two cost twice.
  scratch += (kLineFloats - reinterpret_cast<uintptr_t>(scratch) / sizeof(float) % kLineFloats) %
             kLineFloats;
  const auto take = [&scratch](int64_t floats) { return std::exchange(scratch, scratch + floats); };
  const int64_t points = PaddedPoints(n), buckets = PaddedBuckets(n);
  b.buckets = points / kBucket;
  for (float*& column : b.point) column = take(points);
  b.distance = take(points);
  b.ids = reinterpret_cast<int32_t*>(take(points));
  for (float*& column : b.low) column = take(buckets);
  for (float*& column : b.high) column = take(buckets);
  for (float*& column : b.farthest) column = take(buckets);
  b.reach = take(buckets);
  b.id = reinterpret_cast<int32_t*>(take(buckets));
  b.noted = reinterpret_cast<int32_t*>(take(buckets));
  b.pending = take(buckets * 3 * (kPending + 1));
  return b;
}

void Gather(const float* points, const FpsBuckets& b) {
  for (int64_t i = 0; i < b.points; ++i) {
    const float* p = points + static_cast<int64_t>(b.ids[i]) * 3;
    for (int axis = 0; axis < 3; ++axis) b.point[axis][i] = p[axis];
  }
  const int64_t padded = PaddedPoints(b.points);
  // Padding lies on the last point, so boxes stay tight, and can never win: distances are >= 0.
  for (float* column : b.point) {
    std::fill(column + b.points, column + padded, column[b.points - 1]);
  }
  std::fill(b.distance, b.distance + b.points, std::numeric_limits<float>::infinity());
  std::fill(b.distance + b.points, b.distance + padded, -1.0f);
}

void StartBuckets(const FpsBuckets& b) {
  for (int64_t k = 0; k < b.buckets; ++k) {
    const int64_t begin = k * kBucket, end = std::min(begin + kBucket, b.points);
    const int64_t first = std::min_element(b.ids + begin, b.ids + end) - b.ids;
    for (int axis = 0; axis < 3; ++axis) b.farthest[axis][k] = b.point[axis][first];
    b.id[k] = b.ids[first];
  }
  std::fill(b.reach, b.reach + b.buckets, std::numeric_limits<float>::infinity());
  // Neither a bound nor a distance is below -1.
  std::fill(b.reach + b.buckets, b.reach + PaddedBuckets(b.points), -1.0f);
  std::fill(b.noted, b.noted + PaddedBuckets(b.points), 0);
}

}  // namespace

int64_t FpsBucketScratchFloats(int64_t points) {
  return kLineFloats + PaddedPoints(points) * kFloatsPerPoint +
         PaddedBuckets(points) * kFloatsPerBucket;
}

bool FpsBucketsPay(int64_t points, int64_t samples) {
  return points >= 2048 && points < std::numeric_limits<int32_t>::max() && samples >= 128;
}

void SampleByBuckets(const float* points, int64_t n, int64_t start, int64_t count, float* scratch,
                     SimdLevel simd, int64_t* indices) {
  const FpsBuckets b = Carve(n, scratch);
  // The sort works in columns that are filled after it.
  MortonOrder(points, n, 3, simd,
              {reinterpret_cast<uint32_t*>(b.distance), b.ids,
               reinterpret_cast<uint32_t*>(b.point[0]), reinterpret_cast<int32_t*>(b.point[1])});
  Gather(points, b);
  StartBuckets(b);
  indices[0] = start;
  GWM_SIMD_CALL(simd, PickSamples)(b, points, count, indices);
}

}  // namespace gwm::kernels
