#include "clients/policies/mixture.h"

#include <cmath>
#include <numbers>

#include "tests/clients/policies/test_support.h"

namespace gwm::policies {
namespace {

// Two modes in one dimension, at -1 and 2, of weights 0.25 and 0.75.
GaussianMixture TwoModes() {
  return {torch::tensor({0.25, 0.75}).log().reshape({1, 2}),
          torch::tensor({-1.0, 2.0}).reshape({1, 2, 1}),
          torch::tensor({0.5, 0.1}).reshape({1, 2, 1})};
}

TEST(MixtureTest, OneModeHasTheLikelihoodOfAGaussian) {
  const torch::Tensor mean = Normals(1, {5, 1, 3}).to(torch::kFloat64);
  const torch::Tensor std = Normals(2, {5, 1, 3}).to(torch::kFloat64).abs() + .1;
  const torch::Tensor action = Normals(3, {5, 3}).to(torch::kFloat64);
  const torch::Tensor z = (action - mean.squeeze(1)) / std.squeeze(1);
  const torch::Tensor wanted =
      (-.5 * z * z - std.squeeze(1).log() - .5 * std::log(2 * std::numbers::pi)).sum(-1);
  const torch::Tensor logits = Normals(4, {5, 1}).to(torch::kFloat64);
  EXPECT_TRUE(torch::allclose(MixtureLogProb({logits, mean, std}, action), wanted, 0, 1e-6));
}

TEST(MixtureTest, LikelihoodIsTheWeightedSumOverModes) {
  const double at = 0.3;
  const auto density = [&](double mean, double std) {
    const double z = (at - mean) / std;
    return std::exp(-.5 * z * z) / (std * std::sqrt(2 * std::numbers::pi));
  };
  const double wanted = std::log(.25 * density(-1, .5) + .75 * density(2, .1));
  const torch::Tensor action = torch::full({1, 1}, at);
  EXPECT_NEAR(MixtureLogProb(TwoModes(), action).item<double>(), wanted, 1e-4);
}

TEST(MixtureTest, ModesShareTheUnitIntervalByTheirWeights) {
  const auto sample = [](double uniform) {
    return SampleMixture(TwoModes(), torch::full({1}, uniform), torch::zeros({1, 1}), 0)
        .item<double>();
  };
  EXPECT_EQ(sample(0), -1);
  EXPECT_EQ(sample(.249), -1);
  EXPECT_EQ(sample(.251), 2);
  EXPECT_EQ(sample(std::nextafter(1.0f, 0.0f)), 2);
}

TEST(MixtureTest, GivenDeviationReplacesTheModesOwn) {
  const auto sample = [](double std) {
    return SampleMixture(TwoModes(), torch::zeros({1}), torch::ones({1, 1}), std).item<double>();
  };
  EXPECT_NEAR(sample(0), -.5, 1e-6);
  EXPECT_NEAR(sample(1e-4), -.9999, 1e-6);
}

}  // namespace
}  // namespace gwm::policies
