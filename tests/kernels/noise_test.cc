#include "kernels/noise.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <set>
#include <vector>

#include "kernels/parallel.h"
#include "kernels/philox.h"

namespace gwm::kernels {
namespace {

std::vector<float> Normals(const NoiseStream& stream, uint64_t first, int64_t n,
                           const CpuContext& cpu = {}) {
  std::vector<float> out(n);
  EXPECT_EQ(NormalNoise(stream, first, n, out.data(), cpu), KernelStatus::kOk);
  return out;
}

void ExpectBlock(PhiloxBlock counter, uint32_t key0, uint32_t key1, PhiloxBlock want) {
  const PhiloxBlock got = Philox4x32(counter, key0, key1);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(got.v[i], want.v[i]) << i;
}

// The three philox4x32-10 lines of Random123's kat_vectors.
TEST(PhiloxTest, GivesThePublicKnownAnswers) {
  ExpectBlock({{0, 0, 0, 0}}, 0, 0, {{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}});
  ExpectBlock({{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}}, 0xffffffff, 0xffffffff,
              {{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}});
  ExpectBlock({{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}}, 0xa4093822, 0x299f31d0,
              {{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}});
}

TEST(PhiloxTest, PortableLogarithmAndSinCosAreAccurate) {
  double log_error = 0, turn_error = 0;
  for (int i = 1; i <= 1 << 24; i += 101) {
    const float u = static_cast<float>(i) * 0x1p-24f;
    const double want = std::log(static_cast<double>(u));
    log_error = std::max(log_error, std::abs(PortableLog(u) - want) / std::max(.1, -want));
    const float t = static_cast<float>(i - 1) * 0x1p-24f;
    float s, c;
    PortableSinCos2Pi(t, &s, &c);
    turn_error = std::max(
        {turn_error, std::abs(s - std::sin(2 * M_PI * t)), std::abs(c - std::cos(2 * M_PI * t))});
  }
  EXPECT_LT(log_error, 2e-7);
  EXPECT_LT(turn_error, 2e-7);
}

// Bits recorded once: they are part of what makes a trajectory reproducible, on every machine and
// in every version.
TEST(NoiseTest, KeepsTheRecordedBits) {
  const NoiseStream stream = {
      .seed = 0x123456789abcdef, .env = 1, .episode = 2, .step = 3, .call = 4};
  const std::vector<float> got = Normals(stream, 0, 5);
  std::vector<uint32_t> bits(5);
  std::memcpy(bits.data(), got.data(), 20);
  EXPECT_EQ(bits,
            (std::vector<uint32_t>{0x3fbeff08, 0x3ec1ce7d, 0xbe0d070e, 0xbf3739ad, 0x3f3fbdc5}));
}

TEST(NoiseTest, HasTheSameBitsAtEveryLevelAndThreadCount) {
  const NoiseStream stream = {.seed = 7, .env = 5};
  ThreadPool pool(2);
  for (const int64_t n : {1, 3, 255, 256, 257, 10007}) {
    const std::vector<float> want = Normals(stream, 11, n, {.simd = SimdLevel::kScalar});
    for (const SimdLevel level : SupportedSimdLevels()) {
      EXPECT_EQ(Normals(stream, 11, n, {.simd = level}), want) << SimdLevelName(level);
      EXPECT_EQ(Normals(stream, 11, n, {.simd = level, .pool = &pool}), want);
    }
  }
}

TEST(NoiseTest, AnElementDependsOnItsNumberAlone) {
  const NoiseStream stream = {.seed = 3};
  const std::vector<float> whole = Normals(stream, 0, 3000);
  for (const int64_t first : {1, 2, 3, 4, 255, 256, 777}) {
    const std::vector<float> window = Normals(stream, static_cast<uint64_t>(first), 1000);
    EXPECT_TRUE(std::equal(window.begin(), window.end(), whole.begin() + first)) << first;
  }
  const uint64_t far = uint64_t{1} << 34;
  EXPECT_EQ(Normals(stream, far + 2, 10)[0], Normals(stream, far, 10)[2]);
}

TEST(NoiseTest, EveryFieldOfTheKeyChangesTheStream) {
  const std::vector<NoiseStream> streams = {{},         {.seed = 1},    {.seed = uint64_t{1} << 32},
                                            {.env = 1}, {.episode = 1}, {.step = 1},
                                            {.call = 1}};
  std::set<std::vector<float>> distinct;
  for (const NoiseStream& stream : streams) distinct.insert(Normals(stream, 0, 8));
  EXPECT_EQ(distinct.size(), streams.size());
}

TEST(NoiseTest, NormalsHaveTheMomentsOfANormalAndNoCorrelation) {
  const int64_t n = 400000;
  const std::vector<float> x = Normals({.seed = 99}, 0, n),
                           y = Normals({.seed = 99, .env = 1}, 0, n);
  double sum = 0, sum2 = 0, sum4 = 0, cross = 0, lag = 0;
  for (int64_t i = 0; i < n; ++i) {
    sum += x[i];
    sum2 += double{x[i]} * x[i];
    sum4 += std::pow(double{x[i]}, 4);
    cross += double{x[i]} * y[i];
    lag += double{x[i]} * x[(i + 1) % n];
  }
  const double tolerance = 5 / std::sqrt(static_cast<double>(n));
  EXPECT_NEAR(sum / n, 0, tolerance);
  EXPECT_NEAR(sum2 / n, 1, tolerance * 1.5);
  EXPECT_NEAR(sum4 / n, 3, tolerance * 10);
  EXPECT_NEAR(cross / n, 0, tolerance);
  EXPECT_NEAR(lag / n, 0, tolerance);
}

TEST(NoiseTest, UniformsLieInTheHalfOpenUnitIntervalWithMeanOneHalf) {
  std::vector<float> out(200000);
  ASSERT_EQ(UniformNoise({.seed = 4}, 1, 200000, out.data()), KernelStatus::kOk);
  double sum = 0;
  for (const float u : out) {
    ASSERT_GE(u, 0.0f);
    ASSERT_LT(u, 1.0f);
    sum += u;
  }
  EXPECT_NEAR(sum / 200000, .5, .004);
}

TEST(NoiseTest, RejectsANegativeCount) {
  EXPECT_EQ(NormalNoise({}, 0, -1, nullptr), KernelStatus::kInvalidArgument);
  EXPECT_EQ(UniformNoise({}, 0, 0, nullptr), KernelStatus::kOk);
}

}  // namespace
}  // namespace gwm::kernels
