#include "engine/model/dit.h"

#include <gtest/gtest.h>

#include "tests/engine/model/model_builders.h"

namespace gwm {
namespace {

using testing::Normals;

struct ShakenDit {
  std::unique_ptr<WorldModel> model = testing::ShakenModel("grid");
  DenoiserCondition condition = testing::RandomCondition(model->config, 3, 7);
  torch::Tensor scaled = Normals(8)({3, 32, 16});
  torch::Tensor c_noise = torch::tensor({0.4F, -0.2F, 0.1F});

  torch::Tensor Predict() {
    torch::NoGradGuard no_grad;
    return model->dynamics->forward(scaled, c_noise, model->dynamics->Prepare(condition))
        .prediction;
  }
};

TEST(DitTest, PermutedTokensGivePermutedOutput) {
  ShakenDit dit;
  const auto plain = dit.Predict();
  EXPECT_GT(plain.std().item<float>(), 0.1);
  const auto order =
      torch::randperm(32, torch::make_generator<at::CPUGeneratorImpl>(9), torch::kLong);
  dit.scaled = dit.scaled.index_select(1, order);
  dit.condition.context = dit.condition.context.index_select(2, order);
  dit.condition.velocity = dit.condition.velocity.index_select(1, order);
  dit.condition.centres = dit.condition.centres.index_select(1, order);
  EXPECT_LE((dit.Predict() - plain.index_select(1, order)).abs().max().item<float>(), 1e-5);
}

TEST(DitTest, CentresMatter) {
  ShakenDit dit;
  const auto plain = dit.Predict();
  dit.condition.centres = dit.condition.centres.flip(1);
  EXPECT_GT((dit.Predict() - plain).abs().max().item<float>(), 1e-2);
}

TEST(DitTest, VelocityMattersTokenByToken) {
  ShakenDit dit;
  const auto plain = dit.Predict();
  dit.condition.velocity = dit.condition.velocity.clone();
  dit.condition.velocity.select(1, 3).add_(1);
  const auto change = (dit.Predict() - plain).abs().amax({0, 2});
  EXPECT_EQ(change.argmax().item<int64_t>(), 3);
  EXPECT_GT(change[3].item<float>(), 1e-2);
}

TEST(DitTest, MaskedRowsSeeTheNullTokenAlone) {
  ShakenDit dit;
  dit.condition.action_mask = torch::tensor({true, false, false});
  const auto before = dit.Predict();
  dit.condition.actions = dit.condition.actions + 1;
  const auto after = dit.Predict();
  EXPECT_GT((after[0] - before[0]).abs().max().item<float>(), 1e-3);
  EXPECT_TRUE(torch::equal(after[1], before[1]));
  EXPECT_TRUE(torch::equal(after[2], before[2]));
  dit.condition.action_mask = torch::Tensor();
  EXPECT_GT((dit.Predict()[1] - after[1]).abs().max().item<float>(), 1e-3);
}

TEST(DitTest, EveryContextFrameMatters) {
  ShakenDit dit;
  const auto plain = dit.Predict();
  const auto context = dit.condition.context;
  for (int64_t frame = 0; frame < context.size(1); ++frame) {
    dit.condition.context = context.clone();
    dit.condition.context.select(1, frame).add_(0.5);
    EXPECT_GT((dit.Predict() - plain).abs().max().item<float>(), 1e-3) << "frame " << frame;
  }
}

// A block as a function of its input, modulation, context and weights, in double.
struct DoubleBlock {
  static constexpr int64_t kWidth = 16, kTokens = 5, kContext = 10, kActions = 4;
  DitBlock block = [] {
    DynamicsConfig config;
    config.width = kWidth;
    config.heads = 2;
    DitBlock made(config);
    testing::ShakeWeights(*made, 21, 0.3);
    made->to(torch::kDouble);
    return made;
  }();
  std::vector<torch::Tensor> inputs = [] {
    Normals normal(22);
    std::vector<torch::Tensor> made = {normal({2, kTokens, kWidth}), normal({2, kWidth}),
                                       normal({2, kContext, kWidth}),
                                       normal({2, kActions, kWidth})};
    for (auto& x : made) x = x.to(torch::kDouble).requires_grad_();
    return made;
  }();
  torch::Tensor places = Normals(23)({2, kTokens, 3}).to(torch::kDouble);
  torch::Tensor probe = Normals(24)({2, kTokens, kWidth}).to(torch::kDouble);

  torch::Tensor Value() {
    ConditionCache cache;
    cache.rope = MakeRope(places, kWidth / 2, 100, DealtAxes(kWidth / 2, 3));
    const Rope context_rope = {cache.rope.cos.repeat({1, 2, 1}), cache.rope.sin.repeat({1, 2, 1})};
    cache.action_bias = torch::zeros({2, 1, 1, kActions}, torch::kDouble);
    block->FillCache(inputs[2], context_rope, inputs[3], cache);
    return (block(inputs[0], inputs[1], cache, 0) * probe).sum();
  }
};

TEST(DitTest, BlockGradientsAreThoseOfCentralDifferences) {
  DoubleBlock f;
  std::vector<std::pair<std::string, torch::Tensor>> variables = {{"x", f.inputs[0]},
                                                                  {"modulation_input", f.inputs[1]},
                                                                  {"context", f.inputs[2]},
                                                                  {"actions", f.inputs[3]}};
  for (auto& item : f.block->named_parameters()) variables.emplace_back(item.key(), item.value());
  f.Value().backward();
  auto generator = torch::make_generator<at::CPUGeneratorImpl>(25);
  for (auto& [name, variable] : variables) {
    ASSERT_TRUE(variable.grad().defined()) << name;
    torch::NoGradGuard no_grad;
    for (int trial = 0; trial < 3; ++trial) {
      const auto direction = torch::randn(variable.sizes(), generator, torch::kDouble);
      const double analytic = (variable.grad() * direction).sum().item<double>();
      const double step = 1e-5;
      variable.add_(direction, step);
      const double up = f.Value().item<double>();
      variable.add_(direction, -2 * step);
      const double down = f.Value().item<double>();
      variable.add_(direction, step);
      const double numeric = (up - down) / (2 * step);
      const double scale = variable.grad().norm().item<double>();
      EXPECT_GT(scale, 0) << name;
      EXPECT_LE(std::abs(numeric - analytic), 1e-5 * std::max(std::abs(analytic), 0.1 * scale))
          << name;
    }
  }
}

}  // namespace
}  // namespace gwm
