// Two equally good ways round an obstacle: heads that model a distribution keep both, the squared
// error takes their mean and hits the obstacle.
#include <cstdio>

#include "clients/policies/fitter.h"
#include "tests/clients/policies/test_support.h"

namespace gwm::policies {
namespace {

constexpr int64_t kBatchRows = 64;
constexpr int64_t kSamples = 200;

// Paths of four points from x = 0 to 3 past an obstacle at y = 0: the sides +1 and -1 of y at the
// middle points are equally likely; the observation, where the path starts, says nothing about it.
PolicyConfig BimodalConfig(HeadKind head, DenoiserKind denoiser, uint64_t seed) {
  PolicyConfig config;
  config.head = head;
  config.denoiser = denoiser;
  config.spec = {.observation_steps = 1,
                 .observation_dim = 1,
                 .horizon = 4,
                 .action_dim = 2,
                 .current_action = 0};
  config.seed = seed;
  config.mlp = {.width = 32, .layers = 2};
  config.unet = {.widths = {16, 32}, .kernel = 3, .groups = 8, .time_width = 16};
  config.transformer = {.layers = 2, .heads = 2, .width = 32};
  config.diffusion = {
      .training_steps = 50, .sampling_steps = 10, .sampler = DiffusionSampler::kDdim};
  config.flow.sampling_steps = 10;
  return config;
}

ChunkBatch Demonstrations(uint64_t seed, uint64_t counter) {
  const CounterRandom random(seed + 1000);
  const torch::Tensor start =
      0.1 * random.Normal(RandomStream::kLossNormal, counter, {kBatchRows, 1, 1});
  const torch::Tensor side =
      random.Uniform(RandomStream::kLossUniform, counter, {kBatchRows, 1}).round() * 2 - 1;
  const torch::Tensor shape = torch::tensor({0.0f, 1.0f, 1.0f, 0.0f}).reshape({1, 4});
  const torch::Tensor x = torch::arange(4, torch::kFloat32).reshape({1, 4}).expand({kBatchRows, 4});
  const torch::Tensor y = start.squeeze(2) + side * shape;
  return {start, torch::stack({x, y}, 2), {}};
}

struct Sides {
  double left = 0, right = 0;  // shares of samples whose middle is near +1 and -1
};

Sides SidesOf(TrainedPolicy& policy, uint64_t seed) {
  const torch::Tensor observation = torch::zeros({kSamples, 1, 1});
  const auto action = policy.Act(observation, ActNoiseOf(policy, kSamples, seed));
  EXPECT_TRUE(action.ok()) << action.status();
  const torch::Tensor middle = action->select(2, 1).narrow(1, 1, 2);
  const auto share = [&](double side) {
    return ((middle - side).abs() < 0.4).all(1).to(torch::kFloat32).mean().item<double>();
  };
  return {share(1), share(-1)};
}

struct LearningCase {
  const char* name;
  HeadKind head;
  DenoiserKind denoiser;
  int64_t steps;
  double learning_rate;
};

class BimodalTest : public ::testing::TestWithParam<std::tuple<LearningCase, uint64_t>> {
 protected:
  BimodalTest() { torch::set_num_threads(1); }
};

TEST_P(BimodalTest, DistributionsKeepBothWaysAndTheSquaredErrorNone) {
  const auto& [learning, seed] = GetParam();
  const auto policy = MakePolicy(BimodalConfig(learning.head, learning.denoiser, seed));
  const ChunkBatch all = Demonstrations(seed, 0);
  ASSERT_TRUE(policy->FitNormalizers(all.observation.flatten(0, 1), all.action.flatten(0, 1)).ok());
  FitOptions options;
  options.learning_rate = {.shape = LearningRateShape::kCosine,
                           .peak = learning.learning_rate,
                           .warmup_steps = 20,
                           .total_steps = learning.steps};
  options.seed = seed;
  const auto fitter = Fitter::Create(*policy, options);
  ASSERT_TRUE(fitter.ok()) << fitter.status();
  for (int64_t step = 0; step < learning.steps; ++step) {
    ASSERT_TRUE((*fitter)->Step(Demonstrations(seed, step)).ok());
  }
  const Sides sides = SidesOf((*fitter)->average(), seed);
  std::printf("%s, seed %d: left %.2f, right %.2f, neither %.2f\n", learning.name,
              static_cast<int>(seed), sides.left, sides.right, 1 - sides.left - sides.right);
  if (learning.head == HeadKind::kMse) {
    EXPECT_EQ(sides.left + sides.right, 0);
    return;
  }
  EXPECT_GE(sides.left, 0.3);
  EXPECT_LE(sides.left, 0.7);
  EXPECT_GE(sides.right, 0.3);
  EXPECT_LE(sides.right, 0.7);
}

INSTANTIATE_TEST_SUITE_P(
    Heads, BimodalTest,
    ::testing::Combine(
        ::testing::Values(LearningCase{"Mse", HeadKind::kMse, DenoiserKind::kUnet, 400, 3e-3},
                          LearningCase{"DiffusionUnet", HeadKind::kDiffusion, DenoiserKind::kUnet,
                                       500, 3e-3},
                          LearningCase{"DiffusionTransformer", HeadKind::kDiffusion,
                                       DenoiserKind::kTransformer, 500, 3e-3},
                          LearningCase{"FlowUnet", HeadKind::kFlow, DenoiserKind::kUnet, 500, 3e-3},
                          LearningCase{"FlowTransformer", HeadKind::kFlow,
                                       DenoiserKind::kTransformer, 500, 3e-3}),
        ::testing::Values(1, 2, 3)),
    [](const auto& info) {
      return std::string(std::get<0>(info.param).name) + "_Seed" +
             std::to_string(std::get<1>(info.param));
    });

}  // namespace
}  // namespace gwm::policies
