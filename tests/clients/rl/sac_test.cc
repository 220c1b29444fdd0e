#include "clients/rl/sac.h"

#include "clients/base/state_file.h"
#include "tests/clients/rl/test_support.h"

namespace gwm::rl {
namespace {

SacOptions SmallOptions() {
  return {.observation_dim = 3, .action_dim = 2, .hidden_width = 8, .random_steps = 10, .seed = 3};
}

Batch MakeBatch(uint64_t seed) { return RandomBatch(6, {3}, torch::kFloat32, 2, seed); }

std::unique_ptr<Sac> MakeAgent(const SacOptions& options) {
  absl::StatusOr<std::unique_ptr<Sac>> agent = Sac::Create(options);
  EXPECT_TRUE(agent.ok()) << agent.status();
  return *std::move(agent);
}

using Tensors = std::map<std::string, torch::Tensor>;

Tensors StateOf(const Sac& agent, const std::string& path) {
  EXPECT_TRUE(agent.Save(path).ok());
  return clients::ReadStateFile(path, "gwm-sac-1")->tensors;
}

void Load(const Tensors& tensors, const std::string& name, torch::nn::Module& module) {
  torch::NoGradGuard no_grad;
  for (auto& item : module.named_parameters()) {
    item.value().copy_(tensors.at(name + "." + item.key()));
  }
}

TEST(SacTest, LearnsFromTheSoftValueOfTheNextState) {
  const SacOptions options = SmallOptions();
  const auto agent = MakeAgent(options);
  const Tensors before = StateOf(*agent, TestPath("before"));
  const Batch batch = MakeBatch(1);
  const auto metrics = agent->Update(batch, 100);
  ASSERT_TRUE(metrics.ok()) << metrics.status();

  SacActor actor(3, 2, 8);
  TwinValue critic(3, 2, 8);
  Load(before, "actor", *actor);
  Load(before, "critic", *critic);
  const torch::Tensor noise =
      CounterRandom(options.seed).Normal(RandomStream::kTargetNoise, 0, {6, 2});
  const SquashedAction next = actor->forward(batch.next_observation, noise);
  const auto next_values = critic->forward(batch.next_observation, next.action);  // = the target's
  const torch::Tensor soft = torch::minimum(next_values[0], next_values[1]) - next.log_prob;
  const torch::Tensor wanted = batch.reward.unsqueeze(1) + batch.discount.unsqueeze(1) * soft;
  const auto values = critic->forward(batch.observation, batch.action);
  const torch::Tensor loss =
      (values[0] - wanted).square().mean() + (values[1] - wanted).square().mean();
  EXPECT_NEAR(metrics->at("critic_loss"), loss.item<double>(), 1e-5);
  EXPECT_NEAR(metrics->at("target_value"), wanted.mean().item<double>(), 1e-6);
}

TEST(SacTest, TheTargetFollowsTheCritic) {
  const auto agent = MakeAgent(SmallOptions());
  const Tensors before = StateOf(*agent, TestPath("before"));
  ASSERT_TRUE(agent->Update(MakeBatch(1), 0).ok());
  const Tensors after = StateOf(*agent, TestPath("after"));
  const std::string name = "critic.first.0.weight";
  const torch::Tensor expected =
      before.at("target_" + name) + 5e-3 * (after.at(name) - before.at("target_" + name));
  EXPECT_TRUE(torch::allclose(after.at("target_" + name), expected, 1e-5, 1e-7));
  EXPECT_FALSE(SameBits(after.at(name), before.at(name)));
}

TEST(SacTest, TheTemperatureHoldsTheEntropyAtItsTarget) {
  for (const double target : {-20.0, 20.0}) {
    SacOptions options = SmallOptions();
    options.target_entropy = target;
    const auto agent = MakeAgent(options);
    double temperature = 1;
    for (int i = 0; i < 3; ++i) {
      const double former = temperature;
      temperature = agent->Update(MakeBatch(i), 0)->at("temperature");
      // The policy's entropy is above -20 and below 20.
      EXPECT_TRUE(target < 0 ? temperature < former : temperature > former);
    }
  }
}

TEST(SacTest, ALoadedAgentGoesOnWithTheSameBits) {
  const auto first = MakeAgent(SmallOptions());
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(first->Update(MakeBatch(i), 100).ok());
  ASSERT_TRUE(first->Act(MakeBatch(0).observation, ActMode::kExplore, 100).ok());
  ASSERT_TRUE(first->Save(TestPath("a")).ok());
  const auto second = MakeAgent(SmallOptions());
  ASSERT_TRUE(second->Load(TestPath("a")).ok());
  EXPECT_TRUE(SameBits(*first->Act(MakeBatch(0).observation, ActMode::kExplore, 100),
                       *second->Act(MakeBatch(0).observation, ActMode::kExplore, 100)));
  for (int i = 3; i < 6; ++i) {
    EXPECT_EQ(*first->Update(MakeBatch(i), 100), *second->Update(MakeBatch(i), 100));
  }
}

TEST(SacTest, ActionsStayInRangeAndEvaluationHasNoDraw) {
  const auto agent = MakeAgent(SmallOptions());
  const torch::Tensor observation = 10 * torch::ones({500, 3});
  EXPECT_LE(agent->Act(observation, ActMode::kExplore, 0)->abs().max().item<double>(), 1);
  EXPECT_LE(agent->Act(observation, ActMode::kExplore, 100)->abs().max().item<double>(), 1);
  EXPECT_TRUE(SameBits(*agent->Act(observation, ActMode::kEvaluate, 0),
                       *agent->Act(observation, ActMode::kEvaluate, 0)));
}

TEST(SacTest, WrongShapesAndOptionsAreRefused) {
  const auto agent = MakeAgent(SmallOptions());
  Batch batch = MakeBatch(1);
  batch.observation = torch::zeros({6, 4});
  EXPECT_TRUE(absl::IsInvalidArgument(agent->Update(batch, 0).status()));
  EXPECT_TRUE(
      absl::IsInvalidArgument(agent->Act(torch::zeros({1, 4}), ActMode::kExplore, 0).status()));
  const auto refuses = [](auto change) {
    SacOptions options = SmallOptions();
    change(options);
    return absl::IsInvalidArgument(Sac::Create(options).status());
  };
  EXPECT_TRUE(refuses([](SacOptions& o) { o.observation_dim = 0; }));
  EXPECT_TRUE(refuses([](SacOptions& o) { o.learning_rate = 0; }));
  EXPECT_TRUE(refuses([](SacOptions& o) { o.initial_temperature = 0; }));
  EXPECT_TRUE(refuses([](SacOptions& o) { o.target_entropy = NAN; }));
}

}  // namespace
}  // namespace gwm::rl
