#include "engine/model/reward_head.h"

#include <gtest/gtest.h>

#include "tests/engine/model/model_builders.h"

namespace gwm {
namespace {

TEST(RewardHeadTest, SymlogMatchesTheGoldenAndItsInverse) {
  const auto x = torch::tensor({-10.0, 0.5, 20.0}, torch::kDouble);
  const auto golden = torch::tensor({-2.397895273, .405465108, 3.044522438}, torch::kDouble);
  EXPECT_LE((Symlog(x) - golden).abs().max().item<double>(), 1e-9);
  EXPECT_LE((Symexp(Symlog(x)) - x).abs().max().item<double>(), 1e-12);
}

TEST(RewardHeadTest, TwoHotMatchesTheGolden) {
  const auto code = TwoHot(torch::tensor({1.0, 10.0, -10.0, 0.0}, torch::kDouble), 101, 10);
  const auto expect = [&](int64_t row, int64_t bin, double weight) {
    EXPECT_NEAR(code[row][bin].item<double>(), weight, 1e-6) << row << " " << bin;
  };
  expect(0, 53, .534264);
  expect(0, 54, .465736);
  expect(1, 61, .010524);
  expect(1, 62, .989476);
  expect(2, 38, .989476);
  expect(2, 39, .010524);
  expect(3, 50, 1);
  EXPECT_LE((code.sum(-1) - 1).abs().max().item<double>(), 1e-12);
}

TEST(RewardHeadTest, TwoHotComesBackExactlyAndClampsBeyondItsRange) {
  const auto symlog = torch::linspace(-10, 10, 10000, torch::kDouble);
  const auto x = Symexp(symlog);
  const auto back = TwoHotValue(TwoHot(x, 101, 10).log(), 10);
  EXPECT_LE(((back - x).abs() / x.abs().clamp_min(1)).max().item<double>(), 1e-6);
  const auto beyond =
      TwoHotValue(TwoHot(torch::tensor({1e9, -1e9}, torch::kDouble), 101, 10).log(), 10);
  EXPECT_NEAR(Symlog(beyond[0]).item<double>(), 10, 1e-9);
  EXPECT_NEAR(Symlog(beyond[1]).item<double>(), -10, 1e-9);
}

TEST(RewardHeadTest, UntrainedRewardIsZeroAndFlagsAreUndecided) {
  const auto model = WorldModel::Create(testing::TinyConfig("grid"), 3).value();
  testing::Normals normal(4);
  const auto out = model->reward->forward(normal({2, 32, 16}), normal({2, 32, 16}),
                                          normal({2, 32, 3}), normal({2, 4}));
  EXPECT_EQ(out.reward_logits.sizes().vec(), (std::vector<int64_t>{2, 101}));
  EXPECT_NEAR(TwoHotValue(out.reward_logits, 10).abs().max().item<double>(), 0, 1e-5);
  EXPECT_EQ(out.terminated_logits.abs().max().item<float>(), 0);
  EXPECT_EQ(out.success_logits.abs().max().item<float>(), 0);
}

TEST(RewardHeadTest, DoesNotDependOnTheOrderOfTokens) {
  torch::NoGradGuard no_grad;
  const auto model = testing::ShakenModel("grid");
  testing::Normals normal(5);
  const auto before = normal({2, 32, 16}), after = normal({2, 32, 16}),
             centres = normal({2, 32, 3}), action = normal({2, 4});
  const auto plain = model->reward->forward(before, after, centres, action).reward_logits;
  const auto turned =
      model->reward->forward(before.flip(1), after.flip(1), centres.flip(1), action).reward_logits;
  EXPECT_LE((plain - turned).abs().max().item<float>(), 1e-5);
  const auto swapped = model->reward->forward(after, before, centres, action).reward_logits;
  EXPECT_GT((plain - swapped).abs().max().item<float>(), 1e-2);
}

TEST(RewardHeadTest, WithValuesPerTokenThePlaceOfATokenCounts) {
  torch::NoGradGuard no_grad;
  auto config = testing::TinyConfig("grid");
  config.reward.token_values = 4;
  const auto model = WorldModel::Create(config, 3).value();
  testing::ShakeWeights(*model->reward, 5);
  testing::Normals normal(5);
  const auto before = normal({2, 32, 16}), after = normal({2, 32, 16}),
             centres = normal({2, 32, 3}), action = normal({2, 4});
  const auto plain = model->reward->forward(before, after, centres, action).reward_logits;
  const auto turned =
      model->reward->forward(before.flip(1), after.flip(1), centres.flip(1), action).reward_logits;
  EXPECT_GT((plain - turned).abs().max().item<float>(), 1e-2);
  EXPECT_EQ(plain.sizes().vec(), (std::vector<int64_t>{2, 101}));
}

}  // namespace
}  // namespace gwm
