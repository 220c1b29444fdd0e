#include <algorithm>
#include <limits>

#include "kernels/fps.h"
#include "kernels/fps_buckets.h"
#include "kernels/parallel.h"

namespace gwm::kernels {
namespace {
// Points per maximum kept: the winner is then looked for in one chunk only.
constexpr int64_t kFpsChunk = 128;
}  // namespace
}  // namespace gwm::kernels

#define GWM_SIMD_BODY "kernels/fps_body.inc"
#include "kernels/simd_variants.h"

namespace gwm::kernels {
namespace {

int64_t PaddedPoints(int64_t n) { return (n + kFpsChunk - 1) / kFpsChunk * kFpsChunk; }

int64_t FloatsPerCloud(const FpsArgs& args) {
  const int64_t stride = PaddedPoints(args.num_points);
  const int64_t brute = stride * (args.dims + 1) + stride / kFpsChunk + args.dims;
  return args.dims == 3 ? std::max(brute, FpsBucketScratchFloats(args.num_points)) : brute;
}

// The lowest index of the largest distance.
int64_t FirstFarthest(const float* distance, const float* chunk_max, int64_t chunks) {
  const int64_t chunk = std::max_element(chunk_max, chunk_max + chunks) - chunk_max;
  const float* begin = distance + chunk * kFpsChunk;
  return chunk * kFpsChunk + (std::find(begin, begin + kFpsChunk, chunk_max[chunk]) - begin);
}

// points [length, D], indices [count]
void SampleByBruteForce(const FpsArgs& args, const float* points, int64_t length, int64_t count,
                        float* scratch, SimdLevel simd, int64_t* indices) {
  const int64_t stride = PaddedPoints(length);
  float* columns = scratch;
  float* distance = columns + args.dims * stride;
  float* chunk_max = distance + stride;
  float* center = chunk_max + stride / kFpsChunk;
  for (int64_t d = 0; d < args.dims; ++d) {
    for (int64_t i = 0; i < length; ++i) columns[d * stride + i] = points[i * args.dims + d];
    std::fill(columns + d * stride + length, columns + (d + 1) * stride, 0.0f);
  }
  std::fill(distance, distance + length, std::numeric_limits<float>::infinity());
  // Padding can never win: real distances are >= 0.
  std::fill(distance + length, distance + stride, -1.0f);

  const auto relax = GWM_SIMD_CALL(simd, RelaxDistances);
  indices[0] = args.start;
  for (int64_t k = 1; k < count; ++k) {
    std::copy_n(points + indices[k - 1] * args.dims, args.dims, center);
    relax(columns, stride, args.dims, center, distance, chunk_max);
    indices[k] = FirstFarthest(distance, chunk_max, stride / kFpsChunk);
  }
}

void SampleCloud(const FpsArgs& args, int64_t cloud, float* scratch, SimdLevel simd) {
  const int64_t length = args.lengths ? args.lengths[cloud] : args.num_points;
  const int64_t wanted = args.counts ? args.counts[cloud] : args.num_samples;
  const int64_t count = std::min(length, wanted);
  int64_t* indices = args.indices + cloud * args.num_samples;
  std::fill(indices + count, indices + args.num_samples, int64_t{-1});
  if (count <= 0) return;

  const float* points = args.points + cloud * args.num_points * args.dims;
  if (args.dims == 3 && FpsBucketsPay(length, count)) {
    SampleByBuckets(points, length, args.start, count, scratch, simd, indices);
  } else {
    SampleByBruteForce(args, points, length, count, scratch, simd, indices);
  }
}

bool Valid(const FpsArgs& args) {
  if (args.batch < 0 || args.num_points < 0 || args.num_samples < 0 || args.dims < 1) return false;
  for (int64_t b = 0; b < args.batch; ++b) {
    const int64_t length = args.lengths ? args.lengths[b] : args.num_points;
    const int64_t count = args.counts ? args.counts[b] : args.num_samples;
    if (length < 0 || length > args.num_points) return false;
    if (count < 0 || count > args.num_samples) return false;
    if (length > 0 && (args.start < 0 || args.start >= length)) return false;
  }
  return true;
}

}  // namespace

int64_t FpsScratchFloats(const FpsArgs& args) { return args.batch * FloatsPerCloud(args); }

KernelStatus FarthestPointSample(const FpsArgs& args, float* scratch, const CpuContext& cpu) {
  if (!Valid(args)) return KernelStatus::kInvalidArgument;
  const int64_t per_cloud = FloatsPerCloud(args);
  ParallelFor(cpu.pool, args.batch, 1, [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b) SampleCloud(args, b, scratch + b * per_cloud, cpu.simd);
  });
  return KernelStatus::kOk;
}

}  // namespace gwm::kernels
