// Hand-computed numbers; longer trajectories with ends are golden cases (tests/golden).
#include "clients/rl/returns.h"

#include "clients/rl/squashed_gaussian.h"
#include "tests/clients/rl/test_support.h"

namespace gwm::rl {
namespace {

Trajectories Endless(const std::vector<double>& reward, const std::vector<double>& value) {
  const torch::Tensor zeros =
      torch::zeros({1, static_cast<int64_t>(reward.size())}, torch::kFloat64);
  return {torch::tensor(reward, torch::kFloat64).unsqueeze(0),
          torch::tensor(value, torch::kFloat64).unsqueeze(0), zeros, zeros.clone()};
}

void ExpectRow(const torch::Tensor& actual, const std::vector<double>& expected) {
  ASSERT_EQ(actual.size(1), static_cast<int64_t>(expected.size()));
  for (size_t i = 0; i < expected.size(); ++i) {
    EXPECT_NEAR(actual[0][static_cast<int64_t>(i)].item<double>(), expected[i], 1e-9) << i;
  }
}

TEST(LambdaReturnTest, MixesValuesAndRewards) {
  const Trajectories steps = Endless({1, 0, 0, 1, 0}, {.5, .4, .3, .2, .1, .6});
  ExpectRow(LambdaReturn(steps, 0.985, 0.95),
            {2.318689176, 1.388179723, 1.467704754, 1.557953250, .591});
}

TEST(GeneralisedAdvantageTest, SumsTemporalDifferences) {
  const Trajectories steps = Endless({1, 0, 0, 1}, {.5, .4, .3, .2, .1});
  ExpectRow(GeneralisedAdvantage(steps, 0.99, 0.95), {1.456792579, .596270685, .743509500, .899});
}

TEST(LambdaReturnTest, ATerminationDropsTheNextValueAndATruncationKeepsIt) {
  Trajectories steps = Endless({1, 2, 4}, {0, 10, 20, 30});
  steps.terminated[0][0] = 1;
  steps.truncated[0][1] = 1;
  ExpectRow(LambdaReturn(steps, 0.5, 1.0), {1, 2 + 0.5 * 20, 4 + 0.5 * 30});
}

TEST(SquashTest, GivesTheLogDensityOfTheSquashedDraw) {
  const torch::Tensor mean = torch::full({1, 1}, 0.1), log_std = torch::full({1, 1}, std::log(.5));
  const torch::Tensor noise = torch::full({1, 1}, (0.3 - 0.1) / 0.5);
  const SquashedAction action =
      Squash(mean, mean + noise * log_std.exp(), GaussianLogProb(noise, log_std));
  EXPECT_NEAR(action.action.item<double>(), .291312612, 1e-6);
  EXPECT_NEAR(action.log_prob.item<double>(), -.217109813, 3e-6);
}

}  // namespace
}  // namespace gwm::rl
