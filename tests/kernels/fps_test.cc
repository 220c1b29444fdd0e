#include "kernels/fps.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "kernels/parallel.h"
#include "tests/kernels/test_support.h"

namespace gwm::kernels {
namespace {

// The definition, one point at a time.
std::vector<int64_t> Oracle(const float* points, int64_t n, int64_t dims, int64_t k,
                            int64_t start = 0) {
  std::vector<float> distance(n, std::numeric_limits<float>::infinity());
  std::vector<int64_t> picked = {start};
  while (static_cast<int64_t>(picked.size()) < k) {
    int64_t best = 0;
    for (int64_t i = 0; i < n; ++i) {
      volatile float sum = 0;  // volatile: no fused multiply-add, no wider register
      for (int64_t d = 0; d < dims; ++d) {
        const float delta = points[picked.back() * dims + d] - points[i * dims + d];
        volatile float square = delta * delta;
        sum = d == 0 ? square : sum + square;
      }
      if (sum < distance[i]) distance[i] = sum;
      if (distance[i] > distance[best]) best = i;
    }
    picked.push_back(best);
  }
  return picked;
}

std::vector<int64_t> Sample(FpsArgs args, const CpuContext& cpu = {}) {
  std::vector<int64_t> indices(args.batch * args.num_samples, -7);
  args.indices = indices.data();
  std::vector<float> scratch(FpsScratchFloats(args));
  EXPECT_EQ(FarthestPointSample(args, scratch.data(), cpu), KernelStatus::kOk);
  return indices;
}

FpsArgs OneCloud(const float* points, int64_t n, int64_t dims, int64_t k) {
  FpsArgs args;
  args.points = points;
  args.batch = 1;
  args.num_points = n;
  args.dims = dims;
  args.num_samples = k;
  return args;
}

TEST(FpsTest, PicksTheGoldenPointsOfThePortableGenerator) {
  Lcg lcg;
  std::vector<float> points(64 * 3);
  for (float& x : points) x = static_cast<float>(lcg.Next());
  EXPECT_EQ(Sample(OneCloud(points.data(), 64, 3, 16)),
            (std::vector<int64_t>{0, 39, 58, 4, 15, 20, 19, 50, 37, 31, 48, 56, 3, 51, 36, 25}));
}

TEST(FpsTest, EqualsTheOracleAtEveryLevelForRaggedSizesAndMisalignedStarts) {
  for (const int64_t dims : {1, 2, 3, 14}) {
    for (const int64_t n : {1, 2, 15, 16, 17, 127, 128, 129, 700}) {
      Lcg lcg(static_cast<uint64_t>(n * 31 + dims));
      Misaligned points(UniformFloats(&lcg, n * dims, -1, 1));
      const int64_t k = std::min<int64_t>(n, 40);
      const std::vector<int64_t> want = Oracle(points.data(), n, dims, k);
      for (const SimdLevel level : SupportedSimdLevels()) {
        EXPECT_EQ(Sample(OneCloud(points.data(), n, dims, k), {.simd = level}), want)
            << SimdLevelName(level) << " n=" << n << " dims=" << dims;
      }
    }
  }
}

TEST(FpsTest, TakesTheLowestIndexOnExactTies) {
  std::vector<float> grid;
  for (int i = 0; i < 64; ++i) {
    grid.insert(grid.end(), {float(i % 4), float(i / 4 % 4), float(i / 16)});
  }
  for (const SimdLevel level : SupportedSimdLevels()) {
    EXPECT_EQ(Sample(OneCloud(grid.data(), 64, 3, 30), {.simd = level}),
              Oracle(grid.data(), 64, 3, 30));
  }
}

// What boxes of neighbouring points could get wrong: [n, 3] each, large enough for them.
std::vector<std::pair<const char*, std::vector<float>>> HardClouds(int64_t n) {
  Lcg lcg(41);
  std::vector<std::pair<const char*, std::vector<float>>> clouds;
  clouds.emplace_back("uniform", UniformFloats(&lcg, n * 3, -1, 1));
  std::vector<float> lattice(n * 3), line(n * 3, 0.5f), outliers, doubled, huge;
  for (float& x : lattice) x = std::floor(lcg.Uniform(0, 9));
  for (int64_t i = 0; i < n; ++i) line[i * 3 + 1] = lcg.Uniform(-2, 2);
  outliers = UniformFloats(&lcg, n * 3, 0, 1);
  for (int64_t i = 0; i < n; i += n / 5) outliers[i * 3 + 2] = lcg.Uniform(-1e6f, 1e6f);
  doubled = UniformFloats(&lcg, n * 3, 0, 1);
  std::copy(doubled.begin(), doubled.begin() + n / 2 * 3, doubled.end() - n / 2 * 3);
  huge = UniformFloats(&lcg, n * 3, -3e38f, 3e38f);
  clouds.emplace_back("lattice with many ties", lattice);
  clouds.emplace_back("line", line);
  clouds.emplace_back("far outliers", outliers);
  clouds.emplace_back("every point twice", doubled);
  clouds.emplace_back("distances that overflow", huge);
  clouds.emplace_back("one point only", std::vector<float>(n * 3, 0.25f));
  return clouds;
}

TEST(FpsTest, EqualsTheOracleOnCloudsLargeEnoughForBuckets) {
  for (const int64_t n : {2048, 2817}) {
    for (const auto& [name, points] : HardClouds(n)) {
      const std::vector<int64_t> want = Oracle(points.data(), n, 3, 900, 7);
      for (const SimdLevel level : SupportedSimdLevels()) {
        FpsArgs args = OneCloud(points.data(), n, 3, 900);
        args.start = 7;
        EXPECT_EQ(Sample(args, {.simd = level}), want) << SimdLevelName(level) << ", " << name;
      }
    }
  }
}

TEST(FpsTest, SamplesEveryPointOfACloudInBuckets) {
  Lcg lcg(43);
  const std::vector<float> points = UniformFloats(&lcg, 2100 * 3, 0, 1);
  EXPECT_EQ(Sample(OneCloud(points.data(), 2100, 3, 2100)), Oracle(points.data(), 2100, 3, 2100));
}

TEST(FpsTest, ServesBucketsAndBruteForceInOneBatchWithAnyThreads) {
  Lcg lcg(47);
  const std::vector<float> points = UniformFloats(&lcg, 3 * 3000 * 3, 0, 1);
  const std::vector<int64_t> lengths = {3000, 40, 2500}, counts = {200, 200, 150};
  FpsArgs args = OneCloud(points.data(), 3000, 3, 200);
  args.batch = 3;
  args.lengths = lengths.data();
  args.counts = counts.data();
  ThreadPool pool(2);
  const std::vector<int64_t> got = Sample(args);
  EXPECT_EQ(got, Sample(args, {.pool = &pool}));
  for (int64_t b = 0; b < 3; ++b) {
    const int64_t count = std::min(lengths[b], counts[b]);
    std::vector<int64_t> want = Oracle(points.data() + b * 9000, lengths[b], 3, count);
    want.resize(200, -1);
    EXPECT_EQ(std::vector<int64_t>(got.begin() + b * 200, got.begin() + (b + 1) * 200), want);
  }
}

TEST(FpsTest, RepeatsIndexZeroWhenOnlyDuplicatesRemain) {
  const std::vector<float> points = {1, 1, 1, 2, 2, 2, 1, 1, 1, 2, 2, 2, 1, 1, 1};
  EXPECT_EQ(Sample(OneCloud(points.data(), 5, 3, 5)), (std::vector<int64_t>{0, 1, 0, 0, 0}));
}

TEST(FpsTest, StartsWhereItIsTold) {
  Lcg lcg(5);
  const std::vector<float> points = UniformFloats(&lcg, 90, 0, 1);
  FpsArgs args = OneCloud(points.data(), 30, 3, 8);
  args.start = 29;
  EXPECT_EQ(Sample(args), Oracle(points.data(), 30, 3, 8, 29));
}

TEST(FpsTest, PadsWithMinusOneBeyondLengthsAndCounts) {
  Lcg lcg(9);
  const std::vector<float> points = UniformFloats(&lcg, 3 * 20 * 3, 0, 1);
  const std::vector<int64_t> lengths = {20, 4, 0}, counts = {3, 6, 6};
  FpsArgs args = OneCloud(points.data(), 20, 3, 6);
  args.batch = 3;
  args.lengths = lengths.data();
  args.counts = counts.data();
  const std::vector<int64_t> got = Sample(args);
  const std::vector<int64_t> first = Oracle(points.data(), 20, 3, 3);
  const std::vector<int64_t> second = Oracle(points.data() + 60, 4, 3, 4);
  EXPECT_EQ(got,
            (std::vector<int64_t>{first[0], first[1], first[2], -1, -1, -1, second[0], second[1],
                                  second[2], second[3], -1, -1, -1, -1, -1, -1, -1, -1}));
}

TEST(FpsTest, GivesTheSameIndicesWithTwoThreads) {
  Lcg lcg(11);
  const std::vector<float> points = UniformFloats(&lcg, 5 * 300 * 3, -1, 1);
  FpsArgs args = OneCloud(points.data(), 300, 3, 64);
  args.batch = 5;
  ThreadPool pool(2);
  EXPECT_EQ(Sample(args), Sample(args, {.pool = &pool}));
}

TEST(FpsTest, RejectsSizesOutsideItsContract) {
  const std::vector<float> points(9);
  const int64_t too_long = 4;
  std::vector<int64_t> indices(2);
  std::vector<float> scratch(1024);
  const auto status = [&](auto change) {
    FpsArgs args = OneCloud(points.data(), 3, 3, 2);
    args.indices = indices.data();
    change(&args);
    return FarthestPointSample(args, scratch.data());
  };
  EXPECT_EQ(status([](FpsArgs* a) { a->start = 3; }), KernelStatus::kInvalidArgument);
  EXPECT_EQ(status([](FpsArgs* a) { a->dims = 0; }), KernelStatus::kInvalidArgument);
  EXPECT_EQ(status([](FpsArgs* a) { a->num_samples = -1; }), KernelStatus::kInvalidArgument);
  EXPECT_EQ(status([&](FpsArgs* a) { a->lengths = &too_long; }), KernelStatus::kInvalidArgument);
}

}  // namespace
}  // namespace gwm::kernels
