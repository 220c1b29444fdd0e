#include "clients/rl/ensemble_model.h"

#include <algorithm>

#include "clients/base/state_file.h"
#include "tests/clients/rl/test_support.h"

namespace gwm::rl {
namespace {

constexpr double kNoise = 0.02;

// s' = M s + N a + noise, reward = s0 - a0.
Batch LinearSystem(int64_t rows, uint64_t seed) {
  const CounterRandom random(seed);
  const auto uniform = [&](uint64_t counter, int64_t width) {
    return 2 * random.Uniform(RandomStream::kReplay, counter, {rows, width}) - 1;
  };
  const torch::Tensor transition = torch::tensor({{0.9f, 0.2f}, {-0.3f, 0.8f}});
  const torch::Tensor control = torch::tensor({{0.1f, 0.4f}});
  Batch batch{.observation = 3 * uniform(0, 2), .action = uniform(1, 1)};
  batch.next_observation = batch.observation.mm(transition) + batch.action.mm(control) +
                           kNoise * random.Normal(RandomStream::kReplay, 2, {rows, 2});
  batch.reward = batch.observation.select(1, 0) - batch.action.select(1, 0);
  batch.discount = torch::ones({rows});
  return batch;
}

EnsembleOptions SmallOptions() {
  return {.observation_dim = 2,
          .action_dim = 1,
          .hidden_width = 24,
          .learning_rate = 3e-3,
          .batch_rows = 64,
          .most_epochs = 25,
          .seed = 5};
}

std::unique_ptr<EnsembleModel> MakeModel(const EnsembleOptions& options) {
  absl::StatusOr<std::unique_ptr<EnsembleModel>> model = EnsembleModel::Create(options);
  EXPECT_TRUE(model.ok()) << model.status();
  return *std::move(model);
}

double MeanSquare(const torch::Tensor& difference) {
  return difference.square().mean().item<double>();
}

TEST(EnsembleModelTest, BeatsRepeatLastOnALinearSystem) {
  const auto model = MakeModel(SmallOptions());
  const auto fit = model->Fit(LinearSystem(1500, 1));
  ASSERT_TRUE(fit.ok()) << fit.status();
  const Batch unseen = LinearSystem(500, 2);
  const auto predicted = model->Mean(unseen.observation, unseen.action);
  ASSERT_TRUE(predicted.ok());
  const double error = MeanSquare(predicted->next_observation - unseen.next_observation);
  const double repeat_last = MeanSquare(unseen.observation - unseen.next_observation);
  EXPECT_LT(error, 0.05 * repeat_last);
  EXPECT_LT(MeanSquare(predicted->reward - unseen.reward),
            0.02 * MeanSquare(unseen.reward - unseen.reward.mean()));
}

TEST(EnsembleModelTest, ItsVarianceComesNearTheSystemsNoise) {
  const auto model = MakeModel(SmallOptions());
  ASSERT_TRUE(model->Fit(LinearSystem(1500, 1)).ok());
  const Batch one = LinearSystem(1, 3);
  const auto draws = model->Sample(one.observation.expand({2000, 2}).contiguous(),
                                   one.action.expand({2000, 1}).contiguous(), 0);
  ASSERT_TRUE(draws.ok());
  const torch::Tensor std = draws->next_observation.std(0);
  EXPECT_GT(std.min().item<double>(), kNoise / 2);
  EXPECT_LT(std.max().item<double>(), kNoise * 6);
}

TEST(EnsembleModelTest, ElitesAreThoseOfTheSmallestHoldoutErrors) {
  const EnsembleOptions options = SmallOptions();
  const auto model = MakeModel(options);
  // A network that predicts nonsense, and a fit too short to repair it.
  ASSERT_TRUE(model->Save(TestPath("a")).ok());
  clients::StateFile state = *clients::ReadStateFile(TestPath("a"), "gwm-ensemble-1");
  state.tensors.at("network.bias4")[2].fill_(100);
  ASSERT_TRUE(clients::WriteStateFile(TestPath("b"), "gwm-ensemble-1", state).ok());
  ASSERT_TRUE(model->Load(TestPath("b")).ok());
  const auto fit = model->Fit(LinearSystem(400, 1));
  ASSERT_TRUE(fit.ok()) << fit.status();
  ASSERT_EQ(fit->holdout_errors.size(), 7u);
  ASSERT_EQ(fit->elites.size(), 5u);
  EXPECT_EQ(fit->elites, model->elites());
  EXPECT_EQ(std::count(fit->elites.begin(), fit->elites.end(), 2), 0);
  std::vector<double> sorted = fit->holdout_errors;
  std::sort(sorted.begin(), sorted.end());
  for (size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(fit->holdout_errors[static_cast<size_t>(fit->elites[i])], sorted[i]);
  }
}

TEST(EnsembleModelTest, StopsWhenHeldOutErrorsNoLongerFall) {
  EnsembleOptions options = SmallOptions();
  options.most_epochs = 0;
  options.least_improvement = 0.5;  // halving each time soon ends
  options.patience_epochs = 2;
  const auto fit = MakeModel(options)->Fit(LinearSystem(400, 1));
  ASSERT_TRUE(fit.ok()) << fit.status();
  EXPECT_GE(fit->epochs, 3);
  EXPECT_LT(fit->epochs, 100);
}

TEST(EnsembleModelTest, ALoadedModelGoesOnWithTheSameBits) {
  EnsembleOptions options = SmallOptions();
  options.most_epochs = 2;
  const auto first = MakeModel(options), second = MakeModel(options);
  ASSERT_TRUE(first->Fit(LinearSystem(200, 1)).ok());
  ASSERT_TRUE(first->Save(TestPath("a")).ok());
  ASSERT_TRUE(second->Load(TestPath("a")).ok());
  EXPECT_EQ(first->elites(), second->elites());
  const Batch batch = LinearSystem(200, 2);
  EXPECT_EQ(first->Fit(batch)->holdout_errors, second->Fit(batch)->holdout_errors);
  const auto a = first->Sample(batch.observation, batch.action, 4);
  const auto b = second->Sample(batch.observation, batch.action, 4);
  EXPECT_TRUE(SameBits(a->next_observation, b->next_observation));
  EXPECT_FALSE(SameBits(first->Sample(batch.observation, batch.action, 5)->reward, a->reward));
}

TEST(EnsembleModelTest, WrongShapesAndOptionsAreRefused) {
  const auto model = MakeModel(SmallOptions());
  EXPECT_TRUE(absl::IsInvalidArgument(model->Fit(LinearSystem(5, 1)).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(model->Fit(Batch()).status()));
  EXPECT_TRUE(
      absl::IsInvalidArgument(model->Mean(torch::zeros({4, 3}), torch::zeros({4, 1})).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(
      model->Sample(torch::zeros({4, 2}), torch::zeros({3, 1}), 0).status()));
  EnsembleOptions options = SmallOptions();
  options.elites = 8;
  EXPECT_TRUE(absl::IsInvalidArgument(EnsembleModel::Create(options).status()));
}

TEST(EnsembleNetworkTest, HoldsTheLogVarianceBetweenItsBounds) {
  EnsembleNetwork network(3, std::vector<int64_t>{2, 8, 1}, std::vector<double>{0, 0},
                          CounterRandom(1));
  const Gaussians far = network->forward(1e4 * torch::ones({3, 5, 2}));
  EXPECT_LE(far.log_variance.max().item<double>(), 0.5 + 1e-3);
  EXPECT_GE(far.log_variance.min().item<double>(), -10 - 1e-3);
}

TEST(EnsembleNetworkTest, TheLossIsTheOneOfTheSumWrittenOut) {
  const std::vector<double> decays = {0.1, 0.2};
  EnsembleNetwork network(2, std::vector<int64_t>{3, 4, 2}, decays, CounterRandom(1));
  const CounterRandom random(2);
  const torch::Tensor inputs = random.Normal(RandomStream::kReplay, 0, {2, 5, 3});
  const torch::Tensor targets = random.Normal(RandomStream::kReplay, 1, {2, 5, 2});
  const Gaussians predicted = network->forward(inputs);
  double expected = 0;
  for (int e = 0; e < 2; ++e) {
    const torch::Tensor error = predicted.mean[e] - targets[e];
    const torch::Tensor log_variance = predicted.log_variance[e];
    expected += (error * error / log_variance.exp() + log_variance).mean().item<double>();
  }
  const auto parameters = network->named_parameters();
  for (size_t i = 0; i < decays.size(); ++i) {
    const torch::Tensor& weight = parameters["weight" + std::to_string(i)];
    expected += decays[i] * weight.square().sum().item<double>() / 2;
  }
  expected += 0.01 * 2 * 0.5 + 0.01 * 2 * 10;
  EXPECT_NEAR(network->Loss(inputs, targets).item<double>(), expected, 1e-4);
}

}  // namespace
}  // namespace gwm::rl
