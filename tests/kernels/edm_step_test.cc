#include "kernels/edm_step.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "kernels/noise.h"
#include "kernels/parallel.h"

namespace gwm::kernels {
namespace {

std::vector<double> Sigmas(int64_t steps, double sigma_min, double sigma_max) {
  std::vector<double> out(steps + 1);
  EdmSigmas({.steps = steps, .sigma_min = sigma_min, .sigma_max = sigma_max}, out.data());
  return out;
}

void ExpectSigmas(const std::vector<double>& got, const std::vector<double>& want) {
  ASSERT_EQ(got.size(), want.size() + 1);
  for (size_t i = 0; i < want.size(); ++i) EXPECT_NEAR(got[i], want[i], 1e-9 * want[i] + 1e-10);
  EXPECT_EQ(got.back(), 0);
}

TEST(EdmSigmasTest, HaveTheGoldenValues) {
  ExpectSigmas(Sigmas(3, .002, 5), {5, .2830819112, .002});
  ExpectSigmas(Sigmas(5, .002, 20), {20, 4.862226184, .8247096109, .0761427139, .002});
  ExpectSigmas(Sigmas(18, .002, 80),
               {80, 57.58598472, 40.7855738, 28.3745846, 19.35245298, 12.91008238, 8.400935309,
                5.315194522, 3.25682152, 1.923339837, 1.088170637, .5853481232, .2964422845,
                .1395164687, .05994731124, .02293451837, .007528019963, .002});
  ExpectSigmas(Sigmas(1, .002, 5), {5});
}

TEST(EdmConditionersTest, HaveTheGoldenValues) {
  struct Row {
    double offset, sigma, c_in, c_skip, c_out, c_noise;
  };
  const std::vector<Row> rows = {{0, .002, 1.999984000, .999984000, .001999984, -1.553652025},
                                 {0, .5, 1.414213562, .5, .353553391, -.173286795},
                                 {0, 5, .199007438, .009900990, .497518595, .402359478},
                                 {.1, .002, 1.961146266, .961523669, .098076923, -.575596283},
                                 {.1, 1, .890870806, .198412698, .447657040, .001243791},
                                 {.1, 20, .049983758, .000624594, .499843827, .748936193},
                                 {.3, .1, 1.690308509, .714285714, .267261242, -.287823137},
                                 {.3, .5, 1.301889110, .423728814, .379562639, -.134851208},
                                 {.3, 5, .198653717, .009865825, .497527430, .402808670}};
  for (const Row& row : rows) {
    const EdmConditioners c = ComputeEdmConditioners(row.sigma, .5, row.offset);
    EXPECT_NEAR(c.c_in, row.c_in, 1e-9);
    EXPECT_NEAR(c.c_skip, row.c_skip, 1e-9);
    EXPECT_NEAR(c.c_out, row.c_out, 1e-9);
    EXPECT_NEAR(c.c_noise, row.c_noise, 1e-9);
  }
}

TEST(EdmConditionersTest, CleanContextEmbedsAsExactlyZero) {
  EXPECT_EQ(ContextNoiseEmbedding(0), 0);
  EXPECT_NEAR(ContextNoiseEmbedding(.1), std::log(.1) / 4, 1e-15);
}

enum class Order { kEuler, kHeun };

// What the sampler makes of x = 1 with the ideal denoiser c_skip x of data N(0, 1/4).
float Contraction(int64_t steps, double sigma_max, Order order) {
  const std::vector<double> sigmas = Sigmas(steps, .002, sigma_max);
  const auto denoise = [](float x, double sigma) {
    return static_cast<float>(ComputeEdmConditioners(sigma, .5).c_skip * x);
  };
  float x = 1;
  for (int64_t i = 0; i < steps; ++i) {
    const float denoised = denoise(x, sigmas[i]);
    float next = 0;
    EXPECT_EQ(EulerStep(&x, &denoised, sigmas[i], sigmas[i + 1], 1, &next), KernelStatus::kOk);
    if (order == Order::kHeun && sigmas[i + 1] > 0) {
      const float denoised_next = denoise(next, sigmas[i + 1]);
      EXPECT_EQ(HeunStep(&x, &denoised, &next, &denoised_next, sigmas[i], sigmas[i + 1], 1, &next),
                KernelStatus::kOk);
    }
    x = next;
  }
  return x;
}

TEST(EdmSamplerTest, ContractsTheInitialNoiseByTheGoldenFactors) {
  const auto expect = [](float got, double want) { EXPECT_NEAR(got / want, 1, 2e-4); };
  expect(Contraction(3, 5, Order::kEuler), .050059106);
  expect(Contraction(3, 5, Order::kHeun), .351091525);
  expect(Contraction(5, 20, Order::kEuler), .014283101);
  expect(Contraction(5, 20, Order::kHeun), .041512145);
  expect(Contraction(18, 80, Order::kEuler), .005287893);
  expect(Contraction(18, 80, Order::kHeun), .006595308);
}

TEST(EdmSamplerTest, TendsToTheDataSpreadWithManySteps) {
  EXPECT_NEAR(Contraction(200, 80, Order::kEuler) * 80, .5, .02);
}

TEST(EdmPreconditioningTest, GivesUnitVarianceInputsAndTargets) {
  const int64_t n = 100000;
  std::vector<float> clean(n), noise(n);
  ASSERT_EQ(NormalNoise({.seed = 1}, 0, n, clean.data()), KernelStatus::kOk);
  ASSERT_EQ(NormalNoise({.seed = 2}, 0, n, noise.data()), KernelStatus::kOk);
  for (const double sigma : {.05, .5, 3.0}) {
    const EdmConditioners c = ComputeEdmConditioners(sigma, .5);
    double input2 = 0, target2 = 0;
    for (int64_t i = 0; i < n; ++i) {
      const double x0 = .5 * clean[i], x = x0 + sigma * noise[i];
      input2 += std::pow(c.c_in * x, 2);
      target2 += std::pow((x0 - c.c_skip * x) / c.c_out, 2);
    }
    EXPECT_NEAR(input2 / n, 1, .03);
    EXPECT_NEAR(target2 / n, 1, .03);
  }
}

TEST(EdmChurnTest, RaisesSigmaInsideTheWindowOnly) {
  const ChurnOptions churn = {.s_churn = 2, .s_tmin = .1, .s_tmax = 10, .s_noise = 1.5};
  EXPECT_EQ(ChurnedSigma(.05, 10, churn), .05);
  EXPECT_EQ(ChurnedSigma(11, 10, churn), 11);
  EXPECT_DOUBLE_EQ(ChurnedSigma(1, 10, churn), 1.2);
  EXPECT_DOUBLE_EQ(ChurnedSigma(1, 2, churn), std::sqrt(2.0));
  EXPECT_DOUBLE_EQ(ChurnNoiseScale(1, 1.25, churn), 1.5 * .75);
}

TEST(EdmStepTest, LastEulerStepReturnsTheDenoisedFrameItself) {
  std::vector<float> x(37), denoised(37), out(37);
  for (int i = 0; i < 37; ++i) {
    x[i] = 1e6f * static_cast<float>(i);
    denoised[i] = .1f * static_cast<float>(i);
  }
  ASSERT_EQ(EulerStep(x.data(), denoised.data(), 3, 0, 37, out.data()), KernelStatus::kOk);
  EXPECT_EQ(out, denoised);
}

TEST(EdmStepTest, WorksInPlaceAndWithTwoThreadsToTheSameBits) {
  const int64_t n = 40001;
  std::vector<float> x(n), y(n), z(n), w(n), one(n), two(n);
  for (int call = 0; call < 4; ++call) {
    std::vector<float>* arrays[] = {&x, &y, &z, &w};
    ASSERT_EQ(
        NormalNoise({.seed = 8, .call = static_cast<uint32_t>(call)}, 0, n, arrays[call]->data()),
        KernelStatus::kOk);
  }
  ThreadPool pool(2);
  const CpuContext threaded = {.pool = &pool};
  ASSERT_EQ(LinearCombine(x.data(), .3f, y.data(), -2, n, one.data()), KernelStatus::kOk);
  two = x;
  ASSERT_EQ(LinearCombine(two.data(), .3f, y.data(), -2, n, two.data(), threaded),
            KernelStatus::kOk);
  EXPECT_EQ(one, two);
  ASSERT_EQ(HeunStep(x.data(), y.data(), z.data(), w.data(), 3, 1, n, one.data()),
            KernelStatus::kOk);
  two = x;
  ASSERT_EQ(HeunStep(two.data(), y.data(), z.data(), w.data(), 3, 1, n, two.data(), threaded),
            KernelStatus::kOk);
  EXPECT_EQ(one, two);
}

TEST(EdmStepTest, RejectsSigmasOutsideTheContract) {
  const float x = 1;
  float out = 0;
  EXPECT_EQ(EulerStep(&x, &x, 0, 0, 1, &out), KernelStatus::kInvalidArgument);
  EXPECT_EQ(EulerStep(&x, &x, 1, -1, 1, &out), KernelStatus::kInvalidArgument);
  EXPECT_EQ(HeunStep(&x, &x, &x, &x, 1, 0, 1, &out), KernelStatus::kInvalidArgument);
  EXPECT_EQ(LinearCombine(&x, 1, &x, 1, -1, &out), KernelStatus::kInvalidArgument);
}

}  // namespace
}  // namespace gwm::kernels
