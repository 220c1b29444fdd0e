#include "tests/golden/tolerance.h"

#include <gtest/gtest.h>

#include <limits>

namespace gwm::golden {
namespace {

TEST(ToleranceTextTest, SeparatesOutputsFromGradientsNamedInParentheses) {
  const ToleranceText text("abs 2e-5 rel 1e-4 (outputs); abs 2e-6 rel 1e-3 (gradients)");
  EXPECT_DOUBLE_EQ(text.General({}).abs, 2e-5);
  EXPECT_DOUBLE_EQ(text.General({}).rel, 1e-4);
  EXPECT_DOUBLE_EQ(text.For({"gradient"}, {}).abs, 2e-6);
  EXPECT_DOUBLE_EQ(text.For({"gradient"}, {}).rel, 1e-3);
}

TEST(ToleranceTextTest, InheritsWhatAParenthesisedExceptionLeavesOut) {
  const ToleranceText text("rel 2e-5, abs 2e-6 (precision: rel 1e-3)");
  EXPECT_DOUBLE_EQ(text.General({}).rel, 2e-5);
  EXPECT_DOUBLE_EQ(text.For({"precision"}, {}).rel, 1e-3);
  EXPECT_DOUBLE_EQ(text.For({"precision"}, {}).abs, 2e-6);
}

TEST(ToleranceTextTest, FindsEachOfSeveralLabels) {
  const ToleranceText text(
      "latent, layers, embeddings abs 3e-4; decoded abs 1e-4 rel 2e-4; loss abs 2e-5; grad.in.pc "
      "abs 2e-3 rel 2e-3; "
      "weight gradients abs 2e-5 rel 1e-3");
  EXPECT_DOUBLE_EQ(text.For({"latent"}, {}).abs, 3e-4);
  EXPECT_DOUBLE_EQ(text.For({"latent"}, {}).rel, 0);
  EXPECT_DOUBLE_EQ(text.For({"decoded"}, {}).rel, 2e-4);
  EXPECT_DOUBLE_EQ(text.For({"loss"}, {}).abs, 2e-5);
  EXPECT_DOUBLE_EQ(text.For({"grad.in"}, {}).abs, 2e-3);
  EXPECT_DOUBLE_EQ(text.For({"weight gradients"}, {}).abs, 2e-5);
}

TEST(ToleranceTextTest, ReadsAPlusSignBetweenTheNumbers) {
  const ToleranceText text(
      "rgb, alpha abs 2e-5; expected depth abs 2e-4 where alpha > 0.01; gradients abs 1e-6 + rel "
      "2e-3");
  EXPECT_DOUBLE_EQ(text.For({"rgb"}, {}).abs, 2e-5);
  EXPECT_DOUBLE_EQ(text.For({"expected depth"}, {}).abs, 2e-4);
  EXPECT_DOUBLE_EQ(text.For({"gradient"}, {}).abs, 1e-6);
  EXPECT_DOUBLE_EQ(text.For({"gradient"}, {}).rel, 2e-3);
}

TEST(ToleranceTextTest, ReadsTheShareOfEntries) {
  EXPECT_DOUBLE_EQ(*ToleranceText("quantized: at most 0.5% of entries may differ").Percentage(),
                   0.005);
  EXPECT_FALSE(ToleranceText("abs 1e-5").Percentage().has_value());
}

TEST(ToleranceTextTest, TakesExactAsZeroAndSilenceAsTheFallback) {
  EXPECT_DOUBLE_EQ(ToleranceText("exact indices").General({1, 1}).abs, 0);
  EXPECT_DOUBLE_EQ(ToleranceText("").General({0.25, 0}).abs, 0.25);
  EXPECT_DOUBLE_EQ(ToleranceText("abs 1e-5").For({"gradient"}, {0.5, 0}).abs, 0.5);
}

TEST(CompareTest, ReportsWhatLiesBeyondTheTolerance) {
  const torch::Tensor reference = torch::tensor({1.0, 2.0, 4.0});
  const torch::Tensor value = torch::tensor({1.0, 2.0, 4.5});
  const Difference difference = Compare(value, reference, {0.1, 0.01});
  EXPECT_FALSE(difference.met);
  EXPECT_DOUBLE_EQ(difference.max_abs, 0.5);
  EXPECT_DOUBLE_EQ(difference.max_rel, 0.125);
  EXPECT_TRUE(Compare(value, reference, {0.1, 0.1}).met);
}

TEST(CompareTest, AllowsOutliersUpToTheirShareAndSize) {
  const torch::Tensor reference = torch::zeros({10});
  torch::Tensor value = torch::zeros({10});
  value[3] = 0.5;
  EXPECT_TRUE(Compare(value, reference, {0, 0, 0.1, 0.6}).met);
  EXPECT_FALSE(Compare(value, reference, {0, 0, 0.1, 0.4}).met);
  EXPECT_FALSE(Compare(value, reference, {0, 0, 0.05, 0.6}).met);
}

TEST(CompareTest, FailsOnNanUnlessBothSidesHaveIt) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const torch::Tensor number = torch::tensor({1.0}), missing = torch::tensor({nan});
  EXPECT_FALSE(Compare(missing, number, {1e9, 1e9}).met);
  EXPECT_FALSE(Compare(number, missing, {1e9, 1e9}).met);
  EXPECT_TRUE(Compare(missing, missing, {}).met);
}

TEST(CompareTest, IgnoresWhatTheMaskLeavesOut) {
  const torch::Tensor reference = torch::tensor({1.0, 2.0}), value = torch::tensor({1.0, 9.0});
  EXPECT_TRUE(Compare(value, reference, {}, torch::tensor({true, false})).met);
  EXPECT_FALSE(Compare(value, reference, {}, torch::tensor({false, true})).met);
}

}  // namespace
}  // namespace gwm::golden
