// Numbers that follow from formulas alone: noise levels, and samplers with ideal networks on
// Gaussian data.
#include <cmath>

#include "clients/policies/diffusion_schedule.h"
#include "clients/policies/flow_matching.h"
#include "clients/policies/learning_rate.h"
#include "clients/policies/weight_average.h"
#include "tests/clients/policies/test_support.h"

namespace gwm::policies {
namespace {

TEST(DiffusionScheduleTest, SquaredCosineLevelsHaveTheirClosedForm) {
  const DiffusionSchedule schedule(100);
  EXPECT_NEAR(schedule.betas()[0], 6.31281598e-4, 1e-12);
  EXPECT_NEAR(schedule.betas()[50], .0315463394, 1e-10);
  EXPECT_NEAR(schedule.betas()[98], .74993928, 1e-8);
  EXPECT_EQ(schedule.betas()[99], .999);
  EXPECT_NEAR(schedule.alpha_bars()[0], .999368718, 1e-9);
  EXPECT_NEAR(schedule.alpha_bars()[50], .478264633, 1e-9);
  EXPECT_NEAR(schedule.alpha_bars()[99], 2.42857228e-7, 1e-15);
}

// What DDIM makes of a unit of starting noise when the data is N(0, 0.25) and the network ideal.
double DdimMultiplier(int64_t training_steps, int64_t count) {
  const DiffusionSchedule schedule(training_steps);
  torch::Tensor sample = torch::ones({1}, torch::kFloat64);
  for (const int64_t step : schedule.SamplingSteps(count)) {
    const double alpha_bar = schedule.alpha_bars()[step];
    const double variance = .25 * alpha_bar + 1 - alpha_bar;
    const torch::Tensor epsilon = std::sqrt(1 - alpha_bar) / variance * sample;
    sample = schedule.DdimStep(sample, epsilon, {}, 0, {step, count, Prediction::kEpsilon, false});
  }
  return sample.item<double>();
}

TEST(DiffusionScheduleTest, DdimWithTheIdealNetworkScalesNoiseAsComputed) {
  EXPECT_NEAR(DdimMultiplier(100, 10), .435487186, 1e-8);
  EXPECT_NEAR(DdimMultiplier(100, 100), .492131119, 1e-8);
  EXPECT_NEAR(DdimMultiplier(20, 5), .392139605, 1e-8);
}

TEST(DiffusionScheduleTest, VelocityAndEpsilonDescribeTheSameStep) {
  const DiffusionSchedule schedule(100);
  const torch::Tensor data = Normals(1, {3, 4}).to(torch::kFloat64);
  const torch::Tensor noise = Normals(2, {3, 4}).to(torch::kFloat64);
  const torch::Tensor step = torch::full({3}, 60, torch::kInt64);
  const torch::Tensor sample = schedule.AddNoise(data, noise, step);
  const auto take = [&](Prediction prediction) {
    return schedule.DdimStep(sample, schedule.Target(prediction, data, noise, step), {}, 0,
                             {60, 10, prediction, false});
  };
  EXPECT_TRUE(torch::allclose(take(Prediction::kEpsilon), take(Prediction::kVelocity), 1e-9, 1e-9));
  EXPECT_TRUE(torch::allclose(take(Prediction::kEpsilon), schedule.AddNoise(data, noise, step - 10),
                              1e-9, 1e-9));
}

TEST(DiffusionScheduleTest, ClippingBoundsThePredictedDataAlone) {
  const DiffusionSchedule schedule(100);
  const torch::Tensor sample = torch::full({1}, 5.0), output = torch::zeros({1});
  const DiffusionSchedule::ReverseStep last{0, 10, Prediction::kEpsilon, true};
  EXPECT_FLOAT_EQ(schedule.DdimStep(sample, output, {}, 0, last).item<float>(), 1);
}

TEST(DiffusionScheduleTest, SamplingStepsLeadFromTheirMultipleDownToZero) {
  EXPECT_EQ(DiffusionSchedule(100).SamplingSteps(4), (std::vector<int64_t>{75, 50, 25, 0}));
  EXPECT_EQ(DiffusionSchedule(10).SamplingSteps(3), (std::vector<int64_t>{6, 3, 0}));
}

// Standard deviation of Euler's samples for data N(0, 0.25) under the ideal velocity.
double EulerStd(int64_t steps) {
  const auto velocity = [](const torch::Tensor& x, double t) {
    const double variance = (1 - t) * (1 - t) + .25 * t * t;
    return (.25 * t - (1 - t)) / variance * x;
  };
  return IntegrateFlow(velocity, torch::ones({1}, torch::kFloat64), steps).item<double>();
}

TEST(FlowMatchingTest, EulerWithTheIdealVelocityNarrowsAsComputed) {
  EXPECT_NEAR(EulerStd(1), 0, 1e-12);
  EXPECT_NEAR(EulerStd(4), .340540541, 1e-9);
  EXPECT_NEAR(EulerStd(16), .455683093, 1e-9);
  EXPECT_NEAR(EulerStd(64), .488555295, 1e-9);
}

TEST(FlowMatchingTest, PathsRunFromNoiseToDataWithTheirVelocity) {
  const torch::Tensor noise = Normals(1, {2, 3, 4}), data = Normals(2, {2, 3, 4});
  const torch::Tensor time = torch::tensor({0.0f, 1.0f});
  const torch::Tensor ends = InterpolateFlow(noise, data, time);
  EXPECT_TRUE(SameBits(ends[0], noise[0]));
  EXPECT_TRUE(SameBits(ends[1], data[1]));
  const auto velocity = [&](const torch::Tensor&, double) { return data - noise; };
  EXPECT_TRUE(torch::allclose(IntegrateFlow(velocity, noise, 7), data, 1e-4, 1e-5));
}

TEST(LearningRateTest, WarmsUpAndFallsAlongHalfACosine) {
  const LearningRateSchedule schedule{
      .shape = LearningRateShape::kCosine, .peak = 2, .warmup_steps = 10, .total_steps = 110};
  EXPECT_EQ(schedule.At(0), 0);
  EXPECT_DOUBLE_EQ(schedule.At(5), 1);
  EXPECT_DOUBLE_EQ(schedule.At(10), 2);
  EXPECT_NEAR(schedule.At(60), 1, 1e-12);
  EXPECT_NEAR(schedule.At(110), 0, 1e-12);
  EXPECT_NEAR(schedule.At(1000), 0, 1e-12);
}

TEST(LearningRateTest, WithoutWarmUpTheFirstStepHasThePeak) {
  EXPECT_EQ((LearningRateSchedule{LearningRateShape::kConstant, 3, 0, 0}.At(0)), 3);
}

TEST(AverageDecayTest, CopiesAtFirstAndNeverExceedsItsBound) {
  const AverageDecay decay;
  EXPECT_EQ(decay.At(0), 0);
  EXPECT_EQ(decay.At(1), 0);
  EXPECT_NEAR(decay.At(16), 1 - 1.0 / 8, 1e-12);
  EXPECT_EQ(decay.At(int64_t{1} << 40), .9999);
}

}  // namespace
}  // namespace gwm::policies
