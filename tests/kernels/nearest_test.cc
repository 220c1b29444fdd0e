#include "kernels/nearest.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/parallel.h"
#include "tests/kernels/test_support.h"

namespace gwm::kernels {
namespace {

struct Nearest {
  std::vector<float> sqdist;
  std::vector<int64_t> index;
  bool operator==(const Nearest&) const = default;
};

float SquaredDistance(const float* a, const float* b, int64_t dims) {
  volatile float sum = 0;  // volatile: no fused multiply-add
  for (int64_t d = 0; d < dims; ++d) {
    const float delta = a[d] - b[d];
    volatile float square = delta * delta;
    sum = d == 0 ? square : sum + square;
  }
  return sum;
}

Nearest Oracle(const float* queries, int64_t n, const float* targets, int64_t m, int64_t dims) {
  Nearest result;
  for (int64_t i = 0; i < n; ++i) {
    float best = SquaredDistance(queries + i * dims, targets, dims);
    int64_t index = 0;
    for (int64_t j = 1; j < m; ++j) {
      const float d = SquaredDistance(queries + i * dims, targets + j * dims, dims);
      if (d < best) {
        best = d;
        index = j;
      }
    }
    result.sqdist.push_back(best);
    result.index.push_back(index);
  }
  return result;
}

Nearest FindNearest(NearestArgs args, const CpuContext& cpu = {}) {
  Nearest result;
  result.sqdist.assign(args.batch * args.num_queries, -7);
  result.index.assign(args.batch * args.num_queries, -7);
  args.sqdist = result.sqdist.data();
  args.index = result.index.data();
  EXPECT_EQ(NearestNeighbours(args, cpu), KernelStatus::kOk);
  return result;
}

NearestArgs OneCloud(const float* queries, int64_t n, const float* targets, int64_t m,
                     int64_t dims) {
  NearestArgs args;
  args.queries = queries;
  args.targets = targets;
  args.batch = 1;
  args.num_queries = n;
  args.num_targets = m;
  args.dims = dims;
  return args;
}

TEST(NearestTest, EqualsTheOracleAtEveryLevelForRaggedSizesAndMisalignedStarts) {
  for (const int64_t dims : {1, 3, 14}) {
    for (const int64_t m : {1, 15, 16, 17, 65, 2048, 2049, 5000}) {
      const int64_t n = m < 2048 ? 70 : 701;  // the large ones go through the tree
      Lcg lcg(static_cast<uint64_t>(m * 7 + dims));
      Misaligned queries(UniformFloats(&lcg, n * dims, -1, 1));
      Misaligned targets(UniformFloats(&lcg, m * dims, -1, 1));
      const Nearest want = Oracle(queries.data(), n, targets.data(), m, dims);
      for (const SimdLevel level : SupportedSimdLevels()) {
        const NearestArgs args = OneCloud(queries.data(), n, targets.data(), m, dims);
        EXPECT_EQ(FindNearest(args, {.simd = level}), want)
            << SimdLevelName(level) << " m=" << m << " dims=" << dims;
      }
    }
  }
}

TEST(NearestTest, TakesTheLowestIndexOnTiesInTheTreeToo) {
  // A 16^3 lattice stored twice, queried at its points and at the centres of its edges.
  std::vector<float> targets;
  for (int copy = 0; copy < 2; ++copy) {
    for (int i = 0; i < 4096; ++i) {
      targets.insert(targets.end(), {float(i * 5 % 16), float(i / 16 % 16), float(i / 256)});
    }
  }
  Lcg lcg(3);
  std::vector<float> queries(900 * 3);
  for (float& x : queries) x = std::floor(lcg.Uniform(0, 31)) * 0.5f;
  const Nearest want = Oracle(queries.data(), 900, targets.data(), 8192, 3);
  for (const SimdLevel level : SupportedSimdLevels()) {
    const NearestArgs args = OneCloud(queries.data(), 900, targets.data(), 8192, 3);
    EXPECT_EQ(FindNearest(args, {.simd = level}), want) << SimdLevelName(level);
  }
}

TEST(NearestTest, FindsTheLowestIndexOfEqualAndOverflowingDistances) {
  const std::vector<float> queries(1000 * 3, 3e38f), targets(3000 * 3, -3e38f);
  EXPECT_EQ(FindNearest(OneCloud(queries.data(), 1000, targets.data(), 3000, 3)).index,
            std::vector<int64_t>(1000, 0));
  EXPECT_EQ(FindNearest(OneCloud(targets.data(), 1000, targets.data(), 3000, 3)),
            (Nearest{std::vector<float>(1000, 0), std::vector<int64_t>(1000, 0)}));
}

TEST(NearestTest, SearchesTightClustersAndFarQueriesExactly) {
  Lcg lcg(17);
  std::vector<float> targets, queries;
  for (int i = 0; i < 3000; ++i) {
    const float center = static_cast<float>(i % 3) * 100.0f;
    for (int d = 0; d < 3; ++d) targets.push_back(center + lcg.Normal() * 1e-3f);
  }
  for (int i = 0; i < 2400; ++i) queries.push_back(lcg.Uniform(-500, 500));
  EXPECT_EQ(FindNearest(OneCloud(queries.data(), 800, targets.data(), 3000, 3)),
            Oracle(queries.data(), 800, targets.data(), 3000, 3));
  // Collinear targets, and queries a far outlier away from the rest.
  for (int i = 0; i < 3000; ++i) targets[i * 3] = targets[i * 3 + 1] = 0;
  queries[0] = 1e7f;
  EXPECT_EQ(FindNearest(OneCloud(queries.data(), 800, targets.data(), 3000, 3)),
            Oracle(queries.data(), 800, targets.data(), 3000, 3));
}

TEST(NearestTest, LeavesRowsBeyondTheLengthsEmpty) {
  Lcg lcg(21);
  const std::vector<float> queries = UniformFloats(&lcg, 3 * 5 * 3, 0, 1);
  const std::vector<float> targets = UniformFloats(&lcg, 3 * 9 * 3, 0, 1);
  const std::vector<int64_t> query_lengths = {5, 2, 5}, target_lengths = {9, 4, 0};
  NearestArgs args = OneCloud(queries.data(), 5, targets.data(), 9, 3);
  args.batch = 3;
  args.query_lengths = query_lengths.data();
  args.target_lengths = target_lengths.data();
  const Nearest got = FindNearest(args);
  const Nearest first = Oracle(queries.data(), 5, targets.data(), 9, 3);
  const Nearest second = Oracle(queries.data() + 15, 2, targets.data() + 27, 4, 3);
  EXPECT_EQ(std::vector<int64_t>(got.index.begin(), got.index.begin() + 5), first.index);
  EXPECT_EQ(std::vector<int64_t>(got.index.begin() + 5, got.index.begin() + 7), second.index);
  for (size_t i = 7; i < 15; ++i) {
    EXPECT_EQ(got.index[i], -1);
    EXPECT_EQ(got.sqdist[i], 0.0f);
  }
}

TEST(NearestTest, GivesTheSameBitsWithTwoThreads) {
  Lcg lcg(23);
  const std::vector<float> queries = UniformFloats(&lcg, 2500 * 3, 0, 1);
  const std::vector<float> targets = UniformFloats(&lcg, 2500 * 3, 0, 1);
  ThreadPool pool(2);
  const NearestArgs args = OneCloud(queries.data(), 2500, targets.data(), 2500, 3);
  EXPECT_EQ(FindNearest(args), FindNearest(args, {.pool = &pool}));
  NearestArgs batch = OneCloud(queries.data(), 500, targets.data(), 500, 3);  // a thread a cloud
  batch.batch = 5;
  const Nearest got = FindNearest(batch, {.pool = &pool});
  EXPECT_EQ(got, FindNearest(batch));
  const Nearest last = Oracle(queries.data() + 4 * 1500, 500, targets.data() + 4 * 1500, 500, 3);
  EXPECT_EQ(std::vector<int64_t>(got.index.end() - 500, got.index.end()), last.index);
}

TEST(NearestTest, RejectsLengthsOutsideItsContract) {
  const std::vector<float> points(6);
  const int64_t too_long = 3;
  NearestArgs args = OneCloud(points.data(), 2, points.data(), 2, 3);
  args.target_lengths = &too_long;
  EXPECT_EQ(NearestNeighbours(args), KernelStatus::kInvalidArgument);
}

// Mean over the points per direction, both added: what the golden numbers of the portable generator
// state.
TEST(ChamferTest, MatchesTheGoldenValuesOfThePortableGenerator) {
  Lcg lcg;
  std::vector<float> points(64 * 3);
  for (float& x : points) x = static_cast<float>(lcg.Next());
  const float *a = points.data(), *b = points.data() + 32 * 3;
  const auto mean = [](const Nearest& nearest) {
    double sum = 0;
    for (const float d : nearest.sqdist) sum += d;
    return sum / static_cast<double>(nearest.sqdist.size());
  };
  EXPECT_NEAR(mean(FindNearest(OneCloud(a, 32, b, 32, 3))), .035510055, 1e-8);
  EXPECT_NEAR(mean(FindNearest(OneCloud(b, 32, a, 32, 3))), .044461902, 1e-8);
}

// sum_i weight_i |q_i - t_nearest(i)|^2 in double.
double WeightedLoss(const std::vector<double>& queries, const std::vector<double>& targets,
                    const std::vector<float>& weights, int64_t dims) {
  double loss = 0;
  for (size_t i = 0; i < weights.size(); ++i) {
    double best = 1e300;
    for (size_t j = 0; j < targets.size() / dims; ++j) {
      double sum = 0;
      for (int64_t d = 0; d < dims; ++d) {
        const double delta = queries[i * dims + d] - targets[j * dims + d];
        sum += delta * delta;
      }
      best = std::min(best, sum);
    }
    loss += weights[i] * best;
  }
  return loss;
}

std::vector<double> CentralDifferences(std::vector<double>* x, const auto& loss) {
  std::vector<double> gradient;
  for (double& value : *x) {
    const double kept = value, step = 1e-6;
    value = kept + step;
    const double above = loss();
    value = kept - step;
    gradient.push_back((above - loss()) / (2 * step));
    value = kept;
  }
  return gradient;
}

TEST(ChamferTest, GradientsFollowFiniteDifferencesInValueAndDirection) {
  Lcg lcg(31);
  const std::vector<float> queries = UniformFloats(&lcg, 33 * 3, 0, 1);
  const std::vector<float> targets = UniformFloats(&lcg, 20 * 3, 0, 1);
  const std::vector<float> weights = UniformFloats(&lcg, 33, -1, 2);
  const Nearest nearest = FindNearest(OneCloud(queries.data(), 33, targets.data(), 20, 3));
  std::vector<float> grad_queries(99), grad_targets(60);
  NearestBackwardArgs args;
  args.queries = queries.data();
  args.targets = targets.data();
  args.index = nearest.index.data();
  args.grad_sqdist = weights.data();
  args.batch = 1;
  args.num_queries = 33;
  args.num_targets = 20;
  args.grad_queries = grad_queries.data();
  args.grad_targets = grad_targets.data();
  ASSERT_EQ(NearestBackward(args), KernelStatus::kOk);

  std::vector<double> q(queries.begin(), queries.end()), t(targets.begin(), targets.end());
  const auto loss = [&] { return WeightedLoss(q, t, weights, 3); };
  const VectorMatch of_queries = Match(grad_queries, CentralDifferences(&q, loss), 1e-6, 1e-5);
  const VectorMatch of_targets = Match(grad_targets, CentralDifferences(&t, loss), 1e-6, 1e-5);
  EXPECT_LT(of_queries.worst_excess, 1);
  EXPECT_LT(of_targets.worst_excess, 1);
  EXPECT_GT(of_queries.cosine, 1 - 1e-9);
  EXPECT_GT(of_targets.cosine, 1 - 1e-9);
}

TEST(ChamferTest, AccumulatesAndSkipsRowsWithoutANeighbour) {
  const std::vector<float> queries = {1, 2}, targets = {4}, weights = {1, 1};
  const std::vector<int64_t> index = {0, -1};
  std::vector<float> grad_queries = {10, 20}, grad_targets = {30};
  NearestBackwardArgs args;
  args.queries = queries.data();
  args.targets = targets.data();
  args.index = index.data();
  args.grad_sqdist = weights.data();
  args.batch = 1;
  args.num_queries = 2;
  args.num_targets = 1;
  args.dims = 1;
  args.grad_queries = grad_queries.data();
  args.grad_targets = grad_targets.data();
  ASSERT_EQ(NearestBackward(args), KernelStatus::kOk);
  EXPECT_EQ(grad_queries, (std::vector<float>{10 - 6, 20}));
  EXPECT_EQ(grad_targets, (std::vector<float>{30 + 6}));
}

}  // namespace
}  // namespace gwm::kernels
