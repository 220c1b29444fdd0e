#include "engine/model/sampler.h"

#include <gtest/gtest.h>

namespace gwm {
namespace {

torch::Tensor Noise() { return torch::arange(6, torch::kFloat).reshape({1, 2, 3}) - 2.5; }

// Runs the sampler on a denoiser that knows the data to be all `data`.
torch::Tensor Sampled(SamplerKind kind, int64_t levels, double data, int* calls) {
  SamplerState sampler({}, kind, levels, Noise());
  for (*calls = 0; sampler.calls_left() > 0; ++*calls) {
    const int left = sampler.calls_left();
    EXPECT_GT(sampler.sigma(), 0);
    sampler = sampler.After(torch::full_like(sampler.x(), data));
    EXPECT_EQ(sampler.calls_left(), left - 1);
  }
  return sampler.x();
}

TEST(SamplerTest, MakesOneCallPerLevelOrTwoButForTheLast) {
  for (int64_t levels = 1; levels <= 4; ++levels) {
    int calls = 0;
    Sampled(SamplerKind::kEuler, levels, 0, &calls);
    EXPECT_EQ(calls, DenoiserCalls(SamplerKind::kEuler, static_cast<int>(levels)));
    Sampled(SamplerKind::kHeun, levels, 0, &calls);
    EXPECT_EQ(calls, 2 * levels - 1);
  }
}

TEST(SamplerTest, ArrivesAtWhatTheDenoiserKnows) {
  for (const SamplerKind kind : {SamplerKind::kEuler, SamplerKind::kHeun}) {
    int calls = 0;
    EXPECT_TRUE(torch::allclose(Sampled(kind, 3, 1.25, &calls), torch::full({1, 2, 3}, 1.25)));
  }
}

TEST(SamplerTest, OnTheWayTheDistanceToTheDataShrinksWithTheNoise) {
  SamplerState sampler({}, SamplerKind::kHeun, 3, Noise());
  const auto start = sampler.x();
  const double first = sampler.sigma();
  sampler = sampler.After(torch::zeros({1, 2, 3}));
  sampler = sampler.After(torch::zeros({1, 2, 3}));
  EXPECT_TRUE(torch::allclose(sampler.x(), start * (sampler.sigma() / first)));
}

TEST(SamplerTest, IsAValue) {
  const SamplerState before({}, SamplerKind::kHeun, 2, Noise());
  const auto x = before.x().clone();
  const SamplerState after = before.After(torch::zeros({1, 2, 3}));
  EXPECT_EQ(before.calls_left(), 3);
  EXPECT_EQ(after.calls_left(), 2);
  EXPECT_TRUE(torch::equal(before.x(), x));
}

}  // namespace
}  // namespace gwm
