#include "clients/policies/chunk_executor.h"

#include <array>
#include <cmath>

#include "tests/clients/policies/test_support.h"

namespace gwm::policies {
namespace {

using ::testing::HasSubstr;

// Action i of the chunk is 100 times the newest observation plus i; what it was asked is kept.
class CountingPolicy : public ChunkPolicy {
 public:
  explicit CountingPolicy(const ChunkSpec& spec) : spec_(spec) {}

  const ChunkSpec& spec() const override { return spec_; }
  NoiseShape ActNoise() const override { return {.uniforms = 1, .normals = 1}; }
  absl::StatusOr<torch::Tensor> Act(const torch::Tensor& observation,
                                    const ChunkNoise& noise) override {
    if (is_broken) return absl::InternalError("broken");
    observations.push_back(observation);
    noises.push_back(noise);
    const torch::Tensor newest = observation.select(1, spec_.observation_steps - 1);
    return 100 * newest.unsqueeze(1) + torch::arange(spec_.horizon).reshape({1, -1, 1});
  }

  std::vector<torch::Tensor> observations;
  std::vector<ChunkNoise> noises;
  bool is_broken = false;

 private:
  ChunkSpec spec_;
};

ChunkSpec SpecOf(int64_t observation_steps, int64_t horizon, int64_t current_action) {
  return {.observation_steps = observation_steps,
          .observation_dim = 1,
          .horizon = horizon,
          .action_dim = 1,
          .current_action = current_action};
}

std::unique_ptr<ChunkExecutor> MakeExecutor(ChunkPolicy& policy, const ExecutorOptions& options) {
  absl::StatusOr<std::unique_ptr<ChunkExecutor>> executor = ChunkExecutor::Create(policy, options);
  EXPECT_TRUE(executor.ok()) << executor.status();
  return *std::move(executor);
}

double ActOne(ChunkExecutor& executor, int64_t environment, double observation) {
  const std::array<int64_t, 1> environments = {environment};
  const auto action = executor.Act(environments, torch::full({1, 1}, observation));
  EXPECT_TRUE(action.ok()) << action.status();
  return action.ok() ? action->item<double>() : NAN;
}

TEST(ChunkExecutorTest, PredictsSixteenAndExecutesEightFromTheNewestObservationOn) {
  CountingPolicy policy(SpecOf(/*observation_steps=*/2, /*horizon=*/16, /*current_action=*/1));
  const auto executor = MakeExecutor(policy, {.execute_steps = 8});
  for (int step = 0; step < 24; ++step) {
    const int planned_at = step / 8 * 8;
    EXPECT_EQ(ActOne(*executor, 0, step), 100 * planned_at + 1 + step % 8) << "step " << step;
  }
  EXPECT_EQ(policy.observations.size(), 3u);
}

TEST(ChunkExecutorTest, HistoriesStartWithTheFirstObservationRepeated) {
  CountingPolicy policy(SpecOf(3, 4, 0));
  const auto executor = MakeExecutor(policy, {.execute_steps = 1});
  for (int step = 1; step <= 4; ++step) ActOne(*executor, 0, step);
  const auto history = [&](size_t call) {
    const torch::Tensor flat = policy.observations[call].flatten().contiguous();
    return std::vector<float>(flat.data_ptr<float>(), flat.data_ptr<float>() + flat.numel());
  };
  EXPECT_EQ(history(0), (std::vector<float>{1, 1, 1}));
  EXPECT_EQ(history(1), (std::vector<float>{1, 1, 2}));
  EXPECT_EQ(history(3), (std::vector<float>{2, 3, 4}));
}

TEST(ChunkExecutorTest, EnsemblingAveragesAllChunksThatReachTheStep) {
  CountingPolicy policy(SpecOf(1, 3, 0));
  const auto executor = MakeExecutor(policy, {.execute_steps = 1, .ensemble_decay = 0.5});
  EXPECT_NEAR(ActOne(*executor, 0, 0), 0, 1e-4);
  // The chunk of step 0 says 1, that of step 1 says 100.
  const double older = 1 / (1 + std::exp(-0.5));
  EXPECT_NEAR(ActOne(*executor, 0, 1), older * 1 + (1 - older) * 100, 1e-3);
  const double sum = 1 + std::exp(-0.5) + std::exp(-1.0);
  EXPECT_NEAR(ActOne(*executor, 0, 2), (2 + std::exp(-0.5) * 101 + std::exp(-1.0) * 200) / sum,
              1e-3);
  // The chunk of step 0 has ended.
  EXPECT_NEAR(ActOne(*executor, 0, 3), (102 + std::exp(-0.5) * 201 + std::exp(-1.0) * 300) / sum,
              1e-3);
}

TEST(ChunkExecutorTest, EnsembleWeightsFallFromTheOldestAndSumToOne) {
  const std::vector<double> weights = EnsembleWeights(3, 0.01);
  EXPECT_NEAR(weights[1] / weights[0], std::exp(-0.01), 1e-12);
  EXPECT_NEAR(weights[2] / weights[0], std::exp(-0.02), 1e-12);
  EXPECT_NEAR(weights[0] + weights[1] + weights[2], 1, 1e-12);
}

TEST(ChunkExecutorTest, EnvironmentsKeepTheirOwnPlans) {
  CountingPolicy policy(SpecOf(1, 4, 0));
  const auto executor = MakeExecutor(policy, {.environments = 3, .execute_steps = 4});
  EXPECT_EQ(ActOne(*executor, 2, 5), 500);
  const std::array<int64_t, 2> both = {0, 2};
  const auto action = executor->Act(both, torch::tensor({{7.0f}, {9.0f}}));
  ASSERT_TRUE(action.ok());
  EXPECT_EQ((*action)[0].item<double>(), 700);
  EXPECT_EQ((*action)[1].item<double>(), 501);
  EXPECT_EQ(policy.observations[1].size(0), 1) << "only one plan was due";
}

TEST(ChunkExecutorTest, DueChunksAreAskedForInOneCall) {
  CountingPolicy policy(SpecOf(1, 4, 0));
  const auto executor = MakeExecutor(policy, {.environments = 3, .execute_steps = 4});
  const std::array<int64_t, 3> all = {2, 0, 1};
  ASSERT_TRUE(executor->Act(all, torch::zeros({3, 1})).ok());
  ASSERT_EQ(policy.observations.size(), 1u);
  EXPECT_EQ(policy.observations[0].size(0), 3);
}

TEST(ChunkExecutorTest, NoiseBelongsToEnvironmentEpisodeAndCall) {
  const auto noise_of = [](int64_t environment, uint64_t episode, size_t call) {
    CountingPolicy policy(SpecOf(1, 4, 0));
    const auto executor = MakeExecutor(policy, {.environments = 4, .execute_steps = 1, .seed = 11});
    EXPECT_TRUE(executor->Reset(environment, episode).ok());
    for (size_t i = 0; i <= call; ++i) ActOne(*executor, environment, 0);
    return policy.noises[call].normal;
  };
  EXPECT_TRUE(SameBits(noise_of(1, 2, 3), noise_of(1, 2, 3)));
  EXPECT_FALSE(torch::equal(noise_of(1, 2, 3), noise_of(2, 2, 3)));
  EXPECT_FALSE(torch::equal(noise_of(1, 2, 3), noise_of(1, 3, 3)));
  EXPECT_FALSE(torch::equal(noise_of(1, 2, 3), noise_of(1, 2, 2)));
  EXPECT_FALSE(torch::equal(noise_of(1, 2, 3), noise_of(2, 1, 3)));
}

TEST(ChunkExecutorTest, NoiseDoesNotDependOnWhoSharesTheCall) {
  CountingPolicy alone(SpecOf(1, 4, 0)), shared(SpecOf(1, 4, 0));
  const ExecutorOptions options{.environments = 2, .execute_steps = 1, .seed = 11};
  ActOne(*MakeExecutor(alone, options), 1, 0);
  const std::array<int64_t, 2> both = {0, 1};
  ASSERT_TRUE(MakeExecutor(shared, options)->Act(both, torch::zeros({2, 1})).ok());
  EXPECT_TRUE(SameBits(alone.noises[0].normal[0], shared.noises[0].normal[1]));
  EXPECT_TRUE(SameBits(alone.noises[0].uniform[0], shared.noises[0].uniform[1]));
}

TEST(ChunkExecutorTest, ResetForgetsHistoryAndPlan) {
  CountingPolicy policy(SpecOf(2, 4, 1));
  const auto executor = MakeExecutor(policy, {.execute_steps = 3});
  ActOne(*executor, 0, 5);
  ASSERT_TRUE(executor->Reset(0, 1).ok());
  EXPECT_EQ(ActOne(*executor, 0, 6), 601);
  EXPECT_EQ(policy.observations.back().min().item<double>(), 6);
}

TEST(ChunkExecutorTest, AnErrorOfThePolicyChangesNothing) {
  CountingPolicy policy(SpecOf(2, 4, 1));
  const auto executor = MakeExecutor(policy, {.execute_steps = 1});
  ActOne(*executor, 0, 1);
  policy.is_broken = true;
  const std::array<int64_t, 1> first = {0};
  EXPECT_EQ(executor->Act(first, torch::full({1, 1}, 9.0)).status().code(),
            absl::StatusCode::kInternal);
  policy.is_broken = false;
  ActOne(*executor, 0, 2);
  EXPECT_EQ(policy.observations.back()[0][0].item<double>(), 1) << "the failed step left no trace";
}

TEST(ChunkExecutorTest, NamesWhatIsWrong) {
  CountingPolicy policy(SpecOf(2, 16, 1));
  const auto create = [&](const ExecutorOptions& options) {
    return std::string(ChunkExecutor::Create(policy, options).status().message());
  };
  EXPECT_THAT(create({.execute_steps = 16}),
              HasSubstr("execute_steps is 16, must be from 1 to 15"));
  EXPECT_THAT(create({.environments = 0}), HasSubstr("environments must be positive"));
  EXPECT_THAT(create({.ensemble_decay = NAN}), HasSubstr("ensemble_decay"));
  const auto executor = MakeExecutor(policy, {.environments = 2});
  const auto act = [&](std::vector<int64_t> environments, const torch::Tensor& observation) {
    return std::string(executor->Act(environments, observation).status().message());
  };
  EXPECT_THAT(act({2}, torch::zeros({1, 1})), HasSubstr("environment 2 is none of 2"));
  EXPECT_THAT(act({0, 0}, torch::zeros({2, 1})), HasSubstr("named twice"));
  EXPECT_THAT(act({0}, torch::zeros({1, 2})), HasSubstr("observation is Float [1, 2]"));
  EXPECT_THAT(act({}, torch::zeros({0, 1})), HasSubstr("no environment"));
  EXPECT_EQ(executor->Reset(-1, 0).code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace gwm::policies
