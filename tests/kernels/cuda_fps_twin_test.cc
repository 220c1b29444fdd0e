// Farthest point sampling: clusters of 1 to 16 blocks for points in space, one block for others.
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "kernels/fps.h"
#include "tests/kernels/cuda_twin_support.h"
#include "tests/kernels/test_support.h"

namespace gwm::kernels {
namespace {

using CudaFpsTwinTest = CudaTwinTest;

struct Clouds {
  int64_t num_points = 0, dims = 3;
  std::vector<float> points;
  std::vector<int64_t> lengths, counts;
  int64_t num_samples = 0;
  int64_t start = 0;
};

Clouds MakeClouds(int64_t num_points, int64_t dims, int64_t num_samples) {
  Lcg lcg(static_cast<uint64_t>(num_points + dims));
  Clouds clouds = {num_points, dims, UniformFloats(&lcg, 2 * num_points * dims, -1, 1)};
  clouds.lengths = {num_points, (num_points + 1) / 2};
  clouds.counts = {num_samples - 2, num_samples};
  clouds.num_samples = num_samples;
  return clouds;
}

void ExpectSameIndices(const Clouds& clouds) {
  FpsArgs args;
  args.points = clouds.points.data();
  args.lengths = clouds.lengths.data();
  args.counts = clouds.counts.data();
  args.batch = static_cast<int64_t>(clouds.lengths.size());
  args.num_points = clouds.num_points;
  args.dims = clouds.dims;
  args.num_samples = clouds.num_samples;
  args.start = clouds.start;
  std::vector<int64_t> want(args.batch * args.num_samples, -7);
  args.indices = want.data();
  std::vector<float> scratch(FpsScratchFloats(args));
  ASSERT_EQ(FarthestPointSample(args, scratch.data()), KernelStatus::kOk);

  const OnDevice<float> points(clouds.points), d_scratch(scratch);
  const OnDevice<int64_t> lengths(clouds.lengths), counts(clouds.counts),
      indices(std::vector<int64_t>(want.size(), -7));
  args.points = points.data();
  args.lengths = lengths.data();
  args.counts = counts.data();
  args.indices = indices.data();
  ASSERT_EQ(FarthestPointSampleCuda(args, d_scratch.data(), nullptr), KernelStatus::kOk);
  EXPECT_EQ(indices.Read(), want) << clouds.num_points << " points of " << clouds.dims;
}

TEST_F(CudaFpsTwinTest, PointsInSpaceGiveTheSameIndicesInEveryClusterSize) {
  // 2048 points per block: 1, 1, 1, 2, 4 and 16 blocks.
  for (const int64_t n : {1, 31, 2048, 2049, 5000, 17000}) {
    ExpectSameIndices(MakeClouds(n, 3, 8));
  }
}

TEST_F(CudaFpsTwinTest, MorePointsPerThreadGiveTheSameIndices) {
  for (const int64_t n : {40000, 80000, 150000}) ExpectSameIndices(MakeClouds(n, 3, 4));
}

TEST_F(CudaFpsTwinTest, OtherDimensionsGiveTheSameIndices) {
  for (const int64_t n : {1, 31, 1500}) ExpectSameIndices(MakeClouds(n, 14, 8));
  ExpectSameIndices(MakeClouds(700, 2, 8));
}

TEST_F(CudaFpsTwinTest, MorePointsThanRegistersHoldGiveTheSameIndices) {
  ExpectSameIndices(MakeClouds(205000, 3, 3));
}

TEST_F(CudaFpsTwinTest, TiesGoToTheLowestIndex) {
  Clouds clouds = MakeClouds(2500, 3, 30);
  // Points of a 3 x 3 x 3 lattice, each many times: equal distances everywhere, zero after 27.
  for (float& x : clouds.points) x = static_cast<float>(static_cast<int>((x + 1) * 1.4999f));
  ExpectSameIndices(clouds);
}

TEST_F(CudaFpsTwinTest, EmptyCloudsAndLaterStartsAreTheSame) {
  Clouds clouds = MakeClouds(3000, 3, 8);
  clouds.lengths = {0, 3000};
  clouds.start = 2999;
  ExpectSameIndices(clouds);
}

#ifdef GWM_CUDA_ON_CPU
TEST_F(CudaFpsTwinTest, ADeviceWithSmallerClustersGivesTheSameIndices) {
  for (const unsigned largest : {8u, 0u}) {
    g_largest_cluster = largest;
    ExpectSameIndices(MakeClouds(17000, 3, 4));
    ExpectSameIndices(MakeClouds(120000, 3, 3));
  }
  g_largest_cluster = 16;
}
#endif

}  // namespace
}  // namespace gwm::kernels
