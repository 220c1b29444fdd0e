#include "clients/rl/drqv2.h"

#include "clients/base/state_file.h"
#include "clients/rl/layers.h"
#include "clients/rl/random_shift.h"
#include "clients/rl/truncated_normal.h"
#include "tests/clients/rl/test_support.h"

namespace gwm::rl {
namespace {

DrQv2Options SmallPixels() {
  return {.observation_shape = {2, 17, 17},
          .action_dim = 2,
          .trunk_width = 5,
          .hidden_width = 8,
          .exploration_std = Schedule(0.4),
          .random_steps = 10,
          .seed = 3};
}

DrQv2Options SmallVector() {
  DrQv2Options options = SmallPixels();
  options.observation = ObservationKind::kVector;
  options.observation_shape = {3};
  return options;
}

Batch PixelBatch(uint64_t seed) { return RandomBatch(6, {2, 17, 17}, torch::kUInt8, 2, seed); }
Batch VectorBatch(uint64_t seed) { return RandomBatch(6, {3}, torch::kFloat32, 2, seed); }

std::unique_ptr<DrQv2> MakeAgent(const DrQv2Options& options) {
  absl::StatusOr<std::unique_ptr<DrQv2>> agent = DrQv2::Create(options);
  EXPECT_TRUE(agent.ok()) << agent.status();
  return *std::move(agent);
}

using Tensors = std::map<std::string, torch::Tensor>;

Tensors StateOf(const DrQv2& agent, const std::string& path) {
  EXPECT_TRUE(agent.Save(path).ok());
  return clients::ReadStateFile(path, "gwm-drqv2-1")->tensors;
}

void Load(const Tensors& tensors, const std::string& name, torch::nn::Module& module) {
  torch::NoGradGuard no_grad;
  for (auto& item : module.named_parameters()) {
    item.value().copy_(tensors.at(name + "." + item.key()));
  }
}

// The first step of Adam at those gradients: nearly the sign of each, times the learning rate.
void FirstAdamStep(torch::nn::Module& module, const DrQv2Options& options) {
  torch::NoGradGuard no_grad;
  for (torch::Tensor& parameter : module.parameters()) {
    const torch::Tensor gradient = parameter.grad() + options.weight_decay * parameter;
    parameter.sub_(options.learning_rate * gradient / (gradient.abs() + 1e-8));
  }
}

void ExpectModule(const torch::nn::Module& module, const Tensors& tensors,
                  const std::string& name) {
  for (const auto& item : module.named_parameters()) {
    const torch::Tensor& actual = tensors.at(name + "." + item.key());
    EXPECT_TRUE(torch::allclose(item.value(), actual, 1e-4, 2e-6)) << name << "." << item.key();
  }
}

// One update spelt out with the networks and draws of the library, in the published order.
TEST(DrQv2Test, UpdatesCriticAndEncoderThenActorThenTarget) {
  const DrQv2Options options = SmallPixels();
  const auto agent = MakeAgent(options);
  const Tensors before = StateOf(*agent, TestPath("before"));
  const Batch batch = PixelBatch(1);
  const auto metrics = agent->Update(batch, 100);
  ASSERT_TRUE(metrics.ok()) << metrics.status();
  const Tensors after = StateOf(*agent, TestPath("after"));

  PixelEncoder encoder(2);
  DrQv2Actor actor(32 * 2 * 2, 2, 5, 8);
  DrQv2Critic critic(32 * 2 * 2, 2, 5, 8), target(32 * 2 * 2, 2, 5, 8);
  Load(before, "encoder", *encoder);
  Load(before, "actor", *actor);
  Load(before, "critic", *critic);
  Load(before, "target_critic", *target);
  const CounterRandom random(options.seed);
  const auto features = [&](const torch::Tensor& pixels, uint64_t draw) {
    return encoder->forward(ShiftImages(pixels.to(torch::kFloat32),
                                        random.Integers(RandomStream::kShift, draw, 9, {6, 2}), 4));
  };
  const auto act = [&](const torch::Tensor& at, RandomStream stream) {
    return SampleTruncatedNormal(actor->forward(at), 0.4, random.Normal(stream, 0, {6, 2}), 0.3);
  };
  const torch::Tensor now = features(batch.observation, 0);
  const torch::Tensor next = features(batch.next_observation, 1).detach();
  const auto next_values = target->forward(next, act(next, RandomStream::kTargetNoise));
  const torch::Tensor wanted =
      (batch.reward.unsqueeze(1) +
       batch.discount.unsqueeze(1) * torch::minimum(next_values[0], next_values[1]))
          .detach();
  const auto values = critic->forward(now, batch.action);
  const torch::Tensor critic_loss =
      (values[0] - wanted).square().mean() + (values[1] - wanted).square().mean();
  EXPECT_NEAR(metrics->at("critic_loss"), critic_loss.item<double>(), 1e-5);
  critic->zero_grad();
  critic_loss.backward();
  FirstAdamStep(*critic, options);
  FirstAdamStep(*encoder, options);
  const torch::Tensor kept = now.detach();
  const auto actor_values = critic->forward(kept, act(kept, RandomStream::kActorNoise));
  const torch::Tensor actor_loss = -torch::minimum(actor_values[0], actor_values[1]).mean();
  EXPECT_NEAR(metrics->at("actor_loss"), actor_loss.item<double>(), 1e-5);
  actor->zero_grad();
  actor_loss.backward();
  FirstAdamStep(*actor, options);
  MoveTowards(*target, *critic, options.target_rate);

  ExpectModule(*critic, after, "critic");
  ExpectModule(*encoder, after, "encoder");
  ExpectModule(*actor, after, "actor");
  ExpectModule(*target, after, "target_critic");
}

TEST(DrQv2Test, TheSameSeedGivesTheSameBits) {
  const auto first = MakeAgent(SmallVector()), second = MakeAgent(SmallVector());
  const torch::Tensor observation = VectorBatch(9).observation;
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(SameBits(*first->Act(observation, ActMode::kExplore, 100),
                         *second->Act(observation, ActMode::kExplore, 100)));
    EXPECT_EQ(*first->Update(VectorBatch(i), 100), *second->Update(VectorBatch(i), 100));
  }
}

TEST(DrQv2Test, ALoadedAgentGoesOnWithTheSameBits) {
  for (const bool pixels : {true, false}) {
    DrQv2Options options = pixels ? SmallPixels() : SmallVector();
    const auto batch = [&](uint64_t seed) { return pixels ? PixelBatch(seed) : VectorBatch(seed); };
    const auto first = MakeAgent(options);
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(first->Update(batch(i), 100).ok());
    ASSERT_TRUE(first->Act(batch(0).observation, ActMode::kExplore, 100).ok());
    ASSERT_TRUE(first->Save(TestPath("a")).ok());
    const auto second = MakeAgent(options);
    ASSERT_TRUE(second->Load(TestPath("a")).ok());
    EXPECT_TRUE(SameBits(*first->Act(batch(0).observation, ActMode::kExplore, 100),
                         *second->Act(batch(0).observation, ActMode::kExplore, 100)));
    for (int i = 3; i < 6; ++i) {
      EXPECT_EQ(*first->Update(batch(i), 100), *second->Update(batch(i), 100));
    }
  }
}

TEST(DrQv2Test, ExploresUniformlyFirstAndThenAroundItsMean) {
  const auto agent = MakeAgent(SmallVector());
  const torch::Tensor observation = torch::zeros({2000, 3});
  const torch::Tensor early = *agent->Act(observation, ActMode::kExplore, 9);
  EXPECT_NEAR(early.std().item<double>(), 1 / std::sqrt(3.0), 0.02);
  const torch::Tensor mean = *agent->Act(observation, ActMode::kEvaluate, 9);
  EXPECT_TRUE(SameBits(mean, *agent->Act(observation, ActMode::kEvaluate, 1000)));
  const torch::Tensor later = *agent->Act(observation, ActMode::kExplore, 10);
  EXPECT_NEAR((later - mean).std().item<double>(), 0.4, 0.02);
  EXPECT_LT(later.abs().max().item<double>(), 1);
}

TEST(DrQv2Test, ABatchOfAnotherShapeChangesNothing) {
  const auto agent = MakeAgent(SmallVector()), untouched = MakeAgent(SmallVector());
  std::vector<Batch> wrong(6, VectorBatch(1));
  wrong[0].observation = torch::zeros({6, 4});
  wrong[1].action = torch::zeros({5, 2});
  wrong[2].reward = torch::zeros({6, 1});
  wrong[3].discount = torch::Tensor();
  wrong[4].next_observation = wrong[4].next_observation.to(torch::kFloat64);
  wrong[5].reward = torch::full({6}, NAN);
  for (const Batch& batch : wrong) {
    EXPECT_TRUE(absl::IsInvalidArgument(agent->Update(batch, 0).status()));
  }
  EXPECT_TRUE(absl::IsInvalidArgument(agent->Update(Batch(), 0).status()));
  EXPECT_TRUE(
      absl::IsInvalidArgument(agent->Act(torch::zeros({3}), ActMode::kEvaluate, 0).status()));
  EXPECT_EQ(*agent->Update(VectorBatch(2), 0), *untouched->Update(VectorBatch(2), 0));
}

TEST(DrQv2Test, AFileOfAnotherArchitectureIsRefused) {
  const auto vectors = MakeAgent(SmallVector());
  ASSERT_TRUE(vectors->Save(TestPath("a")).ok());
  DrQv2Options wider = SmallVector();
  wider.hidden_width = 9;
  EXPECT_TRUE(absl::IsInvalidArgument(MakeAgent(wider)->Load(TestPath("a"))));
  EXPECT_TRUE(absl::IsInvalidArgument(MakeAgent(SmallPixels())->Load(TestPath("a"))));
  EXPECT_TRUE(absl::IsNotFound(vectors->Load(TestPath("none"))));
}

TEST(DrQv2Test, RefusesOptionsOutOfRange) {
  const auto refuses = [](auto change) {
    DrQv2Options options = SmallPixels();
    change(options);
    return absl::IsInvalidArgument(DrQv2::Create(options).status());
  };
  EXPECT_TRUE(refuses([](DrQv2Options& o) { o.observation_shape = {3}; }));
  EXPECT_TRUE(refuses([](DrQv2Options& o) { o.observation_shape = {9, 64, 32}; }));
  EXPECT_TRUE(refuses([](DrQv2Options& o) { o.observation_shape = {9, 8, 8}; }));
  EXPECT_TRUE(refuses([](DrQv2Options& o) { o.observation = ObservationKind::kVector; }));
  EXPECT_TRUE(refuses([](DrQv2Options& o) { o.action_dim = 0; }));
  EXPECT_TRUE(refuses([](DrQv2Options& o) { o.learning_rate = NAN; }));
  EXPECT_TRUE(refuses([](DrQv2Options& o) { o.target_rate = 2; }));
  EXPECT_TRUE(refuses([](DrQv2Options& o) { o.noise_clip = -1; }));
}

TEST(ParseObservationKindTest, KnowsTwoNames) {
  EXPECT_EQ(*ParseObservationKind("pixels"), ObservationKind::kPixels);
  EXPECT_EQ(*ParseObservationKind("vector"), ObservationKind::kVector);
  EXPECT_TRUE(absl::IsInvalidArgument(ParseObservationKind("rgb").status()));
}

TEST(SampleTruncatedNormalTest, PassesTheGradientStraightThroughTheEdge) {
  const torch::Tensor mean = torch::tensor({0.0f, 0.999f}).requires_grad_();
  const torch::Tensor sample =
      SampleTruncatedNormal(mean, 1, torch::tensor({0.1f, 0.5f}), std::nullopt);
  EXPECT_NEAR(sample[1].item<double>(), 1, 2e-6);
  EXPECT_LT(sample[1].item<float>(), 1);
  sample.sum().backward();
  EXPECT_TRUE(torch::equal(mean.grad(), torch::ones({2})));
}

TEST(ShiftImagesTest, TheMiddleShiftIsTheIdentity) {
  const torch::Tensor image = torch::arange(2 * 3 * 8 * 8, torch::kFloat32).view({2, 3, 8, 8});
  EXPECT_TRUE(torch::allclose(ShiftImages(image, torch::full({2, 2}, 4), 4), image, 0, 1e-2));
}

}  // namespace
}  // namespace gwm::rl
