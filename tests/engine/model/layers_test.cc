#include "engine/model/layers.h"

#include <gtest/gtest.h>

#include "tests/engine/model/model_builders.h"

namespace gwm {
namespace {

using testing::Normals;

TEST(LayersTest, RmsNormDividesByTheRootMeanSquare) {
  const auto x = torch::tensor({{3.0, 4.0}, {0.0, 0.0}}, torch::kDouble);
  const auto gain = torch::tensor({1.0, 2.0}, torch::kDouble);
  const auto y = RmsNorm(x, gain);
  EXPECT_NEAR(y[0][0].item<double>(), 3 / std::sqrt(12.5 + 1e-6), 1e-12);
  EXPECT_NEAR(y[0][1].item<double>(), 8 / std::sqrt(12.5 + 1e-6), 1e-12);
  EXPECT_EQ(y[1].abs().max().item<double>(), 0);
}

TEST(LayersTest, LinearRowsAreTheSameBitsInAnyNumber) {
  torch::NoGradGuard no_grad;
  Normals normal(1);
  for (const auto& [in, out] : std::vector<std::pair<int64_t, int64_t>>{
           {64, 192}, {64, 16}, {39, 64}, {192, 1152}, {260, 2}}) {
    RowLinear linear(in, out);
    linear->weight.copy_(normal({out, in}));
    linear->bias.copy_(normal({out}));
    const auto x = normal({40, in});
    const auto all = linear(x);
    for (int64_t rows = 1; rows <= 40; ++rows) {
      EXPECT_TRUE(
          torch::equal(linear(x.narrow(0, 40 - rows, rows)), all.narrow(0, 40 - rows, rows)))
          << rows << " rows of " << in << " -> " << out;
    }
    EXPECT_TRUE(torch::equal(linear(x.narrow(0, 0, 6).reshape({3, 2, in})),
                             all.narrow(0, 0, 6).reshape({3, 2, out})));
  }
}

TEST(LayersTest, ConvolutionRowsAreTheSameBitsInAnyBatch) {
  torch::NoGradGuard no_grad;
  Normals normal(2);
  Conv conv(16, 24, 3, 2);
  conv->weight.copy_(normal({24, 16, 3, 3}));
  const auto x = normal({8, 16, 16, 16});
  const auto all = conv(x);
  EXPECT_EQ(all.sizes().vec(), (std::vector<int64_t>{8, 24, 8, 8}));
  for (int64_t i = 0; i < 8; ++i)
    EXPECT_TRUE(torch::equal(conv(x.narrow(0, i, 1)), all.narrow(0, i, 1)));
}

TEST(LayersTest, AttentionRowsAreTheSameBitsInAnyBatch) {
  torch::NoGradGuard no_grad;
  Normals normal(3);
  struct Shape {
    int64_t heads, tokens, keys, head_dim;
  };
  // gwm-tiny and gwm-small: M tokens attend to themselves and to three context frames.
  for (const auto& s : {Shape{4, 32, 128, 16}, Shape{6, 64, 256, 32}, Shape{4, 32, 32, 16}}) {
    const auto q = normal({8, s.heads, s.tokens, s.head_dim});
    const auto k = normal({8, s.heads, s.keys, s.head_dim});
    const auto v = normal({8, s.heads, s.keys, s.head_dim});
    const auto all = Attention(q, k, v);
    for (int64_t i = 0; i < 8; ++i) {
      const auto alone = Attention(q.narrow(0, i, 1), k.narrow(0, i, 1), v.narrow(0, i, 1));
      EXPECT_TRUE(torch::equal(alone, all.narrow(0, i, 1)))
          << "row " << i << ", " << s.tokens << " tokens";
    }
  }
}

TEST(LayersTest, RopeMatchesTheGolden) {
  const auto rotate = [](double position, std::vector<double> x) {
    const auto rope = MakeRope(torch::full({1, 1, 1}, position, torch::kDouble), 4, 100, {0, 0});
    return ApplyRope(torch::tensor(x, torch::kDouble).reshape({1, 1, 1, 4}), rope).flatten();
  };
  const auto row = torch::tensor({-.1413353, .0728592, -.2828857, .4412386}, torch::kDouble);
  const auto column = torch::tensor({.8130781, .1430091, -.2808986, .9897214}, torch::kDouble);
  EXPECT_LE((rotate(3, {.1, .2, .3, .4}) - row).abs().max().item<double>(), 1e-7);
  EXPECT_LE((rotate(5, {.5, .6, .7, .8}) - column).abs().max().item<double>(), 1e-7);
}

TEST(LayersTest, RopeProductsDependOnDifferencesAlone) {
  Normals normal(4);
  const int64_t dim = 24, tokens = 10;
  const auto q = normal({2, 3, tokens, dim}).to(torch::kDouble),
             k = normal({2, 3, tokens, dim}).to(torch::kDouble);
  const auto places = normal({2, tokens, 3}).to(torch::kDouble);
  const auto products = [&](const torch::Tensor& at) {
    const auto rope = MakeRope(at, dim, 100, DealtAxes(dim, 3));
    return torch::matmul(ApplyRope(q, rope), ApplyRope(k, rope).transpose(-1, -2));
  };
  const auto shift = torch::tensor({1.7, -3.1, 0.4}, torch::kDouble);
  const auto here = products(places);
  EXPECT_LE((here - products(places + shift)).abs().max().item<double>(), 1e-6);
  EXPECT_GT((here - products(places * 1.5)).abs().max().item<double>(), 1e-2);
}

TEST(LayersTest, TimeFeaturesMatchTheGolden) {
  const auto features = TimeFeatures(torch::tensor({0.3}, torch::kDouble), 8)[0];
  const auto golden = torch::tensor(
      {.9553365, .9995500, .9999955, 1.0, .2955202, .0299955, .0030000, .0003000}, torch::kDouble);
  EXPECT_LE((features - golden).abs().max().item<double>(), 1e-7);
}

TEST(LayersTest, ContractionKeepsTheUnitBallAndPullsTheRestIn) {
  const auto x = torch::tensor({{0.3, 0.4, 0.0}, {0.0, 4.0, 0.0}, {0.0, 0.0, 1e6}}, torch::kDouble);
  const auto y = ContractPositions(x);
  EXPECT_TRUE(torch::allclose(y[0], x[0]));
  EXPECT_NEAR(y[1][1].item<double>(), 1.75, 1e-12);
  EXPECT_NEAR(y[2].norm().item<double>(), 2, 1e-5);
}

TEST(LayersTest, WeightsFollowFromSeedAndNameAlone) {
  Mlp a(8, 16, 4), b(8, 16, 4), c(8, 16, 4);
  InitWeights(*a, 5, {});
  InitWeights(*b, 5, {});
  InitWeights(*c, 6, {"down"});
  EXPECT_TRUE(torch::equal(a->up->weight, b->up->weight));
  EXPECT_FALSE(torch::equal(a->up->weight, c->up->weight));
  EXPECT_EQ(c->down->weight.abs().max().item<float>(), 0);
  EXPECT_LE(a->up->weight.abs().max().item<double>(), std::sqrt(6.0 / 24));
  EXPECT_EQ(ParameterCount(*a), 8 * 16 + 16 + 16 * 4 + 4);
}

}  // namespace
}  // namespace gwm
