#include "engine/model/edm.h"

#include <gtest/gtest.h>

#include "tests/engine/model/model_builders.h"

namespace gwm {
namespace {

using testing::Normals;

// The denoiser as it starts: F = 0 exactly, which is the ideal denoiser of N(0, sigma_data^2).
struct ZeroDenoiser {
  ModelConfig config = testing::TinyConfig("grid");
  std::unique_ptr<WorldModel> model = WorldModel::Create(config, 1).value();
  ConditionCache cache = model->dynamics->Prepare(testing::RandomCondition(config, 2, 3));
  torch::Tensor noise = Normals(4)({2, config.tokens(), config.tokenizer.latent_dim});

  // What the sampler multiplies its first noisy input by.
  double Factor(int64_t calls, double sigma_max, bool heun) {
    torch::NoGradGuard no_grad;
    DiffusionConfig diffusion = config.diffusion;
    diffusion.sigma_max = sigma_max;
    diffusion.heun = heun;
    const auto ratio =
        Sample(*model->dynamics, cache, diffusion, calls, noise) / (noise * sigma_max);
    EXPECT_LE((ratio.max() - ratio.min()).item<double>(), 5e-6);
    return ratio.to(torch::kDouble).mean().item<double>();
  }
};

TEST(EdmTest, ConditionersMatchTheGolden) {
  const auto c = Precondition(torch::tensor({.002, .5, 5.0}, torch::kDouble), 0.5);
  const auto expect = [](const torch::Tensor& x, std::vector<double> golden) {
    const auto wanted = torch::tensor(golden, torch::kDouble);
    EXPECT_LE(((x.flatten().to(torch::kDouble) - wanted) / wanted).abs().max().item<double>(),
              1e-6);
  };
  expect(c.c_in, {1.999984000, 1.414213562, .199007438});
  expect(c.c_skip, {.999984000, .5, .009900990});
  expect(c.c_out, {.001999984, .353553391, .497518595});
  expect(c.c_noise, {-1.553652025, -.173286795, .402359478});
}

TEST(EdmTest, UntrainedNetworkIsExactlyZero) {
  ZeroDenoiser zero;
  const auto sigma = torch::tensor({0.3F, 4.0F});
  const auto c = Precondition(sigma, 0.5);
  EXPECT_EQ(zero.model->dynamics->forward(c.c_in * zero.noise, c.c_noise, zero.cache)
                .prediction.abs()
                .max()
                .item<float>(),
            0);
  const auto denoised = Denoise(*zero.model->dynamics, zero.noise, sigma, zero.cache, 0.5).value;
  EXPECT_EQ((denoised - c.c_skip * zero.noise).abs().max().item<float>(), 0);
}

TEST(EdmTest, SamplerContractsAsCalculated) {
  ZeroDenoiser zero;
  EXPECT_NEAR(zero.Factor(3, 5, false), .050059106, 1e-6);
  EXPECT_NEAR(zero.Factor(3, 5, true), .351091525, 1e-6);
  EXPECT_NEAR(zero.Factor(5, 20, false), .014283101, 1e-6);
  EXPECT_NEAR(zero.Factor(5, 20, true), .041512145, 1e-6);
  EXPECT_NEAR(zero.Factor(18, 80, false), .005287893, 1e-6);
  EXPECT_NEAR(zero.Factor(18, 80, true), .006595308, 1e-6);
}

TEST(EdmTest, ManyEulerStepsReachTheSpreadOfTheData) {
  ZeroDenoiser zero;
  EXPECT_NEAR(80 * zero.Factor(200, 80, false), 0.5, 0.02);
}

TEST(EdmTest, InputsAndTargetsHaveUnitVariance) {
  Normals normal(5);
  const int64_t n = 100000;
  const auto x0 = 0.5 * normal({n});
  for (double sigma : {0.01, 0.5, 5.0}) {
    const auto c = Precondition(torch::full({1}, sigma), 0.5);
    const auto x = x0 + sigma * normal({n});
    const auto target = (x0 - c.c_skip.flatten() * x) / c.c_out.flatten();
    EXPECT_NEAR((c.c_in.flatten() * x).var().item<double>(), 1, 0.03) << sigma;
    EXPECT_NEAR(target.var().item<double>(), 1, 0.03) << sigma;
  }
}

TEST(EdmTest, LossOfAZeroNetworkIsTheWeightedTarget) {
  ZeroDenoiser zero;
  Normals normal(6);
  const auto target = 0.5 * normal({2, 32, 16});
  const auto sigma = torch::tensor({0.7F, 3.0F});
  const auto weight = normal({2, 32, 1}).abs();
  const auto c = Precondition(sigma, 0.5);
  const auto x = target + sigma.reshape({-1, 1, 1}) * zero.noise;
  const auto wanted = (weight * ((target - c.c_skip * x) / c.c_out).square()).mean();
  const auto loss =
      DenoisingLoss(*zero.model->dynamics, target, sigma, zero.noise, weight, zero.cache, 0.5);
  EXPECT_NEAR(loss.item<double>(), wanted.item<double>(), 1e-6);
}

TEST(EdmTest, OneCallFromTheMeanIsThatOfZeroNoise) {
  torch::NoGradGuard no_grad;
  const auto model = testing::ShakenModel("grid");
  auto diffusion = model->config.diffusion;
  const auto cache = model->dynamics->Prepare(testing::RandomCondition(model->config, 2, 3));
  const auto noise = Normals(4)({2, 32, 16});
  const auto sample = [&](int64_t calls, const torch::Tensor& start) {
    return Sample(*model->dynamics, cache, diffusion, calls, start);
  };
  const auto of_zero = sample(1, torch::zeros_like(noise));
  const auto of_noise = sample(1, noise), three = sample(3, noise);
  diffusion.mean_start = true;
  EXPECT_TRUE(torch::equal(sample(1, noise), of_zero));
  EXPECT_FALSE(torch::equal(of_noise, of_zero));
  EXPECT_TRUE(torch::equal(sample(3, noise), three));
}

TEST(EdmTest, FeaturesAreThoseOfTheFirstCall) {
  torch::NoGradGuard no_grad;
  const auto model = testing::ShakenModel("grid");
  const auto& diffusion = model->config.diffusion;
  const auto cache = model->dynamics->Prepare(testing::RandomCondition(model->config, 2, 3));
  const auto noise = Normals(4)({2, 32, 16});
  torch::Tensor one, three;
  Sample(*model->dynamics, cache, diffusion, 1, noise, &one);
  Sample(*model->dynamics, cache, diffusion, 3, noise, &three);
  EXPECT_EQ(one.sizes().vec(), (std::vector<int64_t>{2, 32, model->config.dynamics.width}));
  EXPECT_TRUE(torch::equal(one, three));
  const auto sigma = torch::full({2}, diffusion.sigma_max);
  const auto denoised =
      Denoise(*model->dynamics, noise * diffusion.sigma_max, sigma, cache, diffusion.sigma_data);
  EXPECT_TRUE(torch::equal(one, denoised.features));
}

}  // namespace
}  // namespace gwm
