#include "engine/model/disagreement.h"

#include <gtest/gtest.h>

#include "tests/engine/model/model_builders.h"

namespace gwm {
namespace {

using testing::Normals;

class DisagreementTest : public ::testing::Test {
 protected:
  DisagreementTest() {
    model_->config.diffusion.mean_start = true;
    Normals normal(3);
    const auto& c = model_->config;
    const int64_t tokens = c.tokens(), channels = c.tokenizer.latent_dim;
    state_ = model_->Begin(normal({kRows, 3, tokens, channels}) * 0.5,
                           normal({kRows, 2, c.action_dim}), normal({kRows, tokens, 3}));
    action_ = normal({kRows, c.action_dim});
    noise_ = normal({kRows, tokens, channels});
    next_ = model_->PredictNext(state_, action_, 1, noise_);
  }

  static constexpr int64_t kRows = 3;
  torch::NoGradGuard no_grad_;
  std::unique_ptr<WorldModel> model_ = testing::ShakenModel("grid");
  DynamicsState state_;
  torch::Tensor action_, noise_, next_;
};

TEST_F(DisagreementTest, IsTheMeanSquareBetweenThePredictionFromNoiseAndTheStep) {
  const auto doubt = Disagreement(*model_, state_, action_, next_, noise_);
  ASSERT_EQ(doubt.sizes().vec(), std::vector<int64_t>{kRows});
  model_->config.diffusion.mean_start = false;
  const auto other = model_->PredictNext(state_, action_, 1, noise_);
  const auto expected = (other - next_).square().to(torch::kDouble).flatten(1).mean(1);
  EXPECT_GT(expected.min().item<double>(), 0);
  EXPECT_TRUE(torch::allclose(doubt, expected, 1e-5, 1e-10));
}

TEST_F(DisagreementTest, IsZeroWhereTheNoisyCallAgrees) {
  model_->config.diffusion.mean_start = false;
  const auto same = model_->PredictNext(state_, action_, 1, noise_);
  EXPECT_LE(Disagreement(*model_, state_, action_, same, noise_).max().item<double>(), 1e-10);
}

}  // namespace
}  // namespace gwm
