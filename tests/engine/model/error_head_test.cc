#include "engine/model/error_head.h"

#include <gtest/gtest.h>

#include "tests/engine/model/model_builders.h"

namespace gwm {
namespace {

using testing::Normals;

class ErrorHeadTest : public ::testing::Test {
 protected:
  ErrorHeadTest() {
    Normals normal(3);
    const auto& c = model_->config;
    const int64_t tokens = c.tokens(), channels = c.tokenizer.latent_dim;
    state_ = model_->Begin(normal({kRows, 3, tokens, channels}) * 0.5,
                           normal({kRows, 2, c.action_dim}), normal({kRows, tokens, 3}));
    next_ = normal({kRows, tokens, channels}) * 0.5;
  }

  torch::Tensor Expected(double age) const {
    return model_->ExpectedError(state_, next_, torch::full({kRows}, age));
  }

  static constexpr int64_t kRows = 3;
  torch::NoGradGuard no_grad_;
  std::unique_ptr<WorldModel> model_ = testing::ShakenModel("grid");
  DynamicsState state_;
  torch::Tensor next_;
};

TEST_F(ErrorHeadTest, ExpectsAPositiveErrorOfEveryRow) {
  const auto expected = Expected(1);
  ASSERT_EQ(expected.sizes().vec(), std::vector<int64_t>{kRows});
  EXPECT_TRUE(torch::isfinite(expected).all().item<bool>());
  EXPECT_GT(expected.min().item<float>(), 0);
}

TEST_F(ErrorHeadTest, IsTheMeanOverTheTokensOfWhatTheHeadSaysOfEach) {
  const auto reset = state_.context.select(1, 0);
  const auto before = state_.context.select(1, state_.context.size(1) - 1);
  const auto log_tokens =
      model_->error->forward(reset, before, next_, state_.centres, torch::full({kRows}, 4.0));
  ASSERT_EQ(log_tokens.sizes().vec(), (std::vector<int64_t>{kRows, model_->config.tokens()}));
  EXPECT_TRUE(torch::allclose(Expected(4), log_tokens.exp().mean(1), 1e-6, 1e-9));
}

TEST_F(ErrorHeadTest, DependsOnTheAgeOfTheRolloutAndOnTheResetFrame) {
  EXPECT_GT((Expected(1) - Expected(20)).abs().min().item<float>(), 1e-5);
  const auto before = Expected(1);
  state_.context.select(1, 0).add_(0.5);
  EXPECT_GT((Expected(1) - before).abs().min().item<float>(), 1e-5);
}

TEST_F(ErrorHeadTest, ModelsWithoutTheHeadExpectNothing) {
  auto config = model_->config;
  config.error_head.width = 0;
  const auto model = WorldModel::Create(config, 1).value();
  EXPECT_EQ(model->error, nullptr);
  EXPECT_EQ(model->parts().size(), 3U);
  EXPECT_FALSE(model->ExpectedError(state_, next_, torch::ones({kRows})).defined());
}

}  // namespace
}  // namespace gwm
