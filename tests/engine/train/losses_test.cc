#include "engine/train/losses.h"

#include <gtest/gtest.h>

#include "tests/engine/model/model_builders.h"
#include "tests/fakes/toy_scenes.h"

namespace gwm {
namespace {

using testing::Normals;

// The portable generator of the golden tables: s <- (1103515245 s + 12345) mod 2^31, u = s / 2^31.
torch::Tensor LcgPoints(int64_t count) {
  std::vector<float> values;
  uint64_t s = 1;
  for (int64_t i = 0; i < 3 * count; ++i) {
    s = (1103515245 * s + 12345) % (uint64_t{1} << 31);
    values.push_back(static_cast<float>(static_cast<double>(s) / 2147483648.0));
  }
  return torch::tensor(values).reshape({1, count, 3});
}

TEST(LossesTest, ChamferMatchesTheHandCalculation) {
  const auto x = torch::tensor({0.0F, 0.0F, 0.0F, 1.0F, 0.0F, 0.0F}).reshape({1, 2, 3});
  const auto y = torch::tensor({0.0F, 1.0F, 0.0F}).reshape({1, 1, 3});
  EXPECT_FLOAT_EQ(ChamferLoss(x, y).item<float>(), 1.5F + 1.0F);
  EXPECT_EQ(ChamferLoss(x, x).item<float>(), 0);
}

TEST(LossesTest, ChamferMatchesTheGolden) {
  const auto points = LcgPoints(64);
  EXPECT_NEAR(ChamferLoss(points.slice(1, 0, 32), points.slice(1, 32, 64)).item<double>(),
              .079971957, 1e-6);
}

TEST(LossesTest, ChamferGradientsAreThoseOfFiniteDifferences) {
  // Targets far apart, each with one near query and two with a distant second one: no neighbour
  // changes within a step.
  Normals normal(1);
  const auto targets = 3 * torch::arange(5).reshape({1, 5, 1}) + 0.2 * normal({2, 5, 3});
  const auto distant = targets.slice(1, 0, 2) + 1;
  const auto queries = torch::cat({targets + 0.2 * normal({2, 5, 3}), distant}, 1);
  std::vector<torch::Tensor> sets = {queries.clone().requires_grad_(),
                                     targets.clone().requires_grad_()};
  ChamferLoss(sets[0], sets[1]).backward();
  torch::NoGradGuard no_grad;
  const float step = 1e-2F;  // the loss is quadratic, so a wide step is exact
  for (auto& set : sets) {
    auto flat = set.view(-1);
    for (int64_t i = 0; i < flat.size(0); ++i) {
      const float kept = flat[i].item<float>();
      flat[i].fill_(kept + step);
      const double up = ChamferLoss(sets[0], sets[1]).item<double>();
      flat[i].fill_(kept - step);
      const double down = ChamferLoss(sets[0], sets[1]).item<double>();
      flat[i].fill_(kept);
      EXPECT_NEAR((up - down) / (2 * step), set.grad().view(-1)[i].item<double>(), 2e-3) << i;
    }
  }
}

TEST(LossesTest, KlIsZeroForTheUnitNormalAlone) {
  const auto kl = [](float mean, float log_var) {
    return KlLoss({torch::full({1, 2, 3}, mean), torch::full({1, 2, 3}, log_var)}).item<double>();
  };
  EXPECT_EQ(kl(0, 0), 0);
  EXPECT_NEAR(kl(1, 0), 0.5, 1e-6);
  EXPECT_NEAR(kl(2, std::log(4.0F)), 0.5 * (4 + 4 - 1 - std::log(4.0)), 1e-5);
}

TEST(LossesTest, ChangedPixelsWeighMore) {
  const auto reset = torch::full({1, 1, 4, 2, 2}, 0.5);
  auto pixels = reset.clone();
  pixels[0][0][1][0][1] = 0.5 + 11.0 / 255;
  pixels[0][0][1][1][0] = 0.5 + 9.0 / 255;
  pixels[0][0][3][1][1] = 2;  // depth is no colour
  const auto weight = ChangedWeight(pixels, reset, 4);
  EXPECT_TRUE(torch::equal(weight.flatten(), torch::tensor({1.0F, 5.0F, 1.0F, 1.0F})));
}

TEST(LossesTest, PixelLossMatchesTheHandCalculation) {
  const auto target = torch::zeros({1, 1, 4, 2, 2});
  auto decoded = torch::full({1, 1, 4, 2, 2}, 0.1);
  decoded.select(2, 3).fill_(0.2);
  const auto weight = torch::ones({1, 1, 1, 2, 2});
  EXPECT_NEAR(PixelLoss(decoded, target, weight, 0.5).item<double>(), 0.07 + 0.5 * 0.07, 1e-6);
  EXPECT_NEAR(PixelLoss(decoded, target, 3 * weight, 0.5).item<double>(), 3 * 1.5 * 0.07, 1e-6);
}

TEST(LossesTest, MatchedFeaturesIgnoreOrderAndQuaternionSign) {
  Normals normal(2);
  Gaussians a{normal({1, 6, 3}), normal({1, 6, 3}), normal({1, 6, 4}), normal({1, 6, 1, 3}),
              normal({1, 6})};
  Gaussians b{a.means.flip(1), a.log_scales.flip(1), -a.quats.flip(1), a.sh.flip(1),
              a.opacity_logits.flip(1)};
  EXPECT_NEAR(MatchedFeatureLoss(a, b).item<double>(), 0, 1e-6);
  b.log_scales = b.log_scales + 1.1;  // 3 of 11 features, both directions
  EXPECT_NEAR(MatchedFeatureLoss(a, b).item<double>(), 2 * 1.1 * 3 / 11, 1e-5);
}

TEST(LossesTest, RenderedLossSeesColoursAndHasTheirGradient) {
  const auto config = testing::TinyConfig("grid");
  const auto data = testing::ToyDataset(1, {.seed = 4, .frames = 1});
  const auto frame = torch::zeros({1}, torch::kLong);
  const auto pixels = data.Pixels(0, frame, config.far_m);
  auto scene = data.Scenes(0, frame, config);
  const auto weight = torch::ones({1, 2, 1, 32, 32});
  const double exact = RenderedLoss(scene.gaussians, scene, pixels, weight, 1).item<double>();
  EXPECT_LT(exact, 0.03);
  scene.gaussians.sh = (scene.gaussians.sh + 0.5).detach().requires_grad_();
  auto loss = RenderedLoss(scene.gaussians, scene, pixels, weight, 1);
  EXPECT_GT(loss.item<double>(), 3 * exact);
  loss.backward();
  EXPECT_GT(scene.gaussians.sh.grad().sum().item<double>(), 0);  // too bright: less is better
}

}  // namespace
}  // namespace gwm
