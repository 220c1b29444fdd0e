#include "engine/train/stage.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <stdexcept>

#include "engine/data/latent_sequences.h"
#include "engine/io/file.h"
#include "engine/train/stages.h"
#include "tests/engine/io/test_support.h"
#include "tests/engine/model/model_builders.h"
#include "tests/fakes/toy_scenes.h"

namespace gwm {
namespace {

Mlp FreshModule(int64_t hidden = 8) {
  Mlp module(4, hidden, 2);
  InitWeights(*module, 9, {});
  return module;
}

// Regression of random inputs on a fixed map; every draw comes from the step's generator.
LossTerms RegressionLoss(Mlp& module, torch::Generator& g) {
  const auto x = torch::randn({16, 4}, g, torch::kFloat);
  const auto wanted = x.slice(1, 0, 2) - x.slice(1, 2, 4);
  auto loss = (module(x) - wanted).square().mean();
  return {{"loss", loss}, {"twice", 2 * loss}};
}

StageRun RunOf(Mlp& module, const io::ScratchFolder& folder) {
  return {.name = "toy",
          .state_dir = folder / "state",
          .log_dir = "",
          .options = {.steps = 40, .learning_rate = 1e-2, .warmup_steps = 5},
          .seed = 3,
          .save_every = 5,
          .quiet = true,
          .loss = [&module](int64_t, torch::Generator& g) { return RegressionLoss(module, g); }};
}

bool SameWeights(const torch::nn::Module& a, const torch::nn::Module& b) {
  const auto left = a.parameters(), right = b.parameters();
  const auto equal = [](const torch::Tensor& x, const torch::Tensor& y) {
    return torch::equal(x, y);
  };
  return std::equal(left.begin(), left.end(), right.begin(), right.end(), equal);
}

TEST(StageTest, LearnsAndLeavesCurvesBehind) {
  const io::ScratchFolder folder;
  auto module = FreshModule();
  auto run = RunOf(module, folder);
  run.log_dir = folder / "logs";
  run.options.steps = 200;
  auto generator = StepGenerator(1, "test", 0);
  const double before = RegressionLoss(module, generator)[0].second.item<double>();
  ASSERT_TRUE(RunStage(*module, run).ok());
  generator = StepGenerator(1, "test", 0);
  EXPECT_LT(RegressionLoss(module, generator)[0].second.item<double>(), 0.3 * before);
  EXPECT_TRUE(std::filesystem::exists(folder / "logs/toy.png"));
  EXPECT_TRUE(std::filesystem::exists(folder / "state/toy.state.safetensors"));
}

TEST(StageTest, KilledRunGoesOnBitForBit) {
  const io::ScratchFolder whole_folder, broken_folder;
  auto whole = FreshModule();
  ASSERT_TRUE(RunStage(*whole, RunOf(whole, whole_folder)).ok());
  {
    auto killed = FreshModule();
    auto run = RunOf(killed, broken_folder);
    const auto loss = run.loss;
    run.loss = [&](int64_t step, torch::Generator& g) {
      if (step == 18) throw std::runtime_error("killed");
      return loss(step, g);
    };
    EXPECT_THROW((void)RunStage(*killed, run), std::runtime_error);
  }
  auto resumed = FreshModule();
  auto run = RunOf(resumed, broken_folder);
  const auto loss = run.loss;
  int64_t first_step = -1;
  run.loss = [&](int64_t step, torch::Generator& g) {
    if (first_step < 0) first_step = step;
    return loss(step, g);
  };
  ASSERT_TRUE(RunStage(*resumed, run).ok());
  EXPECT_EQ(first_step, 15);
  EXPECT_TRUE(SameWeights(*resumed, *whole));
}

TEST(StageTest, ShardsAreAveragedInOrderAndRepeatable) {
  const io::ScratchFolder first_folder, second_folder, one_folder;
  const auto train = [](const io::ScratchFolder& folder, int64_t shards) {
    auto module = FreshModule();
    auto run = RunOf(module, folder);
    run.options.shards = shards;
    EXPECT_TRUE(RunStage(*module, run).ok());
    return module;
  };
  const auto first = train(first_folder, 4), second = train(second_folder, 4);
  EXPECT_TRUE(SameWeights(*first, *second));
  EXPECT_FALSE(SameWeights(*first, *train(one_folder, 1)));
}

TEST(StageTest, RefusesShardsThatDoNotDivideTheBatch) {
  const io::ScratchFolder folder;
  auto module = FreshModule();
  auto run = RunOf(module, folder);
  run.options.shards = 3;
  io::ExpectStatus(RunStage(*module, run), absl::StatusCode::kInvalidArgument,
                   {"shards is 3", "batch, 16"});
}

TEST(ShardedGradientsTest, AreTheGradientsOfTheMeanLoss) {
  auto module = FreshModule();
  const auto x = torch::randn({8, 4}, StepGenerator(1, "test", 0), torch::kFloat);
  const auto loss_of = [&](const torch::Tensor& rows) { return module(rows).square().mean(); };
  const auto weights = module->parameters();
  const auto whole = ShardedGradients(weights, 1, [&](int64_t) -> LossTerms {
    return {{"loss", loss_of(x)}};
  });
  const auto parts = ShardedGradients(weights, 4, [&](int64_t shard) -> LossTerms {
    return {{"loss", loss_of(x.narrow(0, 2 * shard, 2))}};
  });
  EXPECT_NEAR(parts.terms[0].second, whole.terms[0].second, 1e-6);
  for (size_t i = 0; i < weights.size(); ++i) {
    EXPECT_TRUE(torch::allclose(parts.gradients[i], whole.gradients[i], 1e-4, 1e-6));
  }
}

TEST(ShardedGradientsTest, PassOnWhatAShardThrows) {
  auto module = FreshModule();
  const auto x = torch::ones({2, 4});
  EXPECT_THROW((void)ShardedGradients(module->parameters(), 2,
                                      [&](int64_t shard) -> LossTerms {
                                        if (shard == 1) throw std::runtime_error("killed");
                                        return {{"loss", module(x).mean()}};
                                      }),
               std::runtime_error);
}

TEST(StageTest, CompleteRunIsReadBackWithoutTraining) {
  const io::ScratchFolder folder;
  auto module = FreshModule();
  ASSERT_TRUE(RunStage(*module, RunOf(module, folder)).ok());
  auto again = FreshModule();
  auto run = RunOf(again, folder);
  run.loss = [](int64_t, torch::Generator&) -> LossTerms {
    throw std::runtime_error("trained again");
  };
  ASSERT_TRUE(RunStage(*again, run).ok());
  EXPECT_TRUE(SameWeights(*again, *module));
}

TEST(StageTest, StopsAtALossThatIsNotFiniteAndKeepsTheLastGoodState) {
  const io::ScratchFolder folder;
  auto module = FreshModule();
  auto run = RunOf(module, folder);
  const auto loss = run.loss;
  run.loss = [&](int64_t step, torch::Generator& g) {
    auto terms = loss(step, g);
    if (step == 12) terms[0].second = terms[0].second * std::nan("");
    return terms;
  };
  const auto status = RunStage(*module, run);
  io::ExpectStatus(status, absl::StatusCode::kInternal, {"toy", "update 12"});
  const auto file = io::ReadTensorFile(folder / "state/toy.state.safetensors");
  ASSERT_TRUE(file.ok());
  EXPECT_EQ(file->metadata.at("step"), "10");
}

TEST(StageTest, RefusesTheStateOfAnotherConfig) {
  const io::ScratchFolder folder;
  auto module = FreshModule();
  ASSERT_TRUE(RunStage(*module, RunOf(module, folder)).ok());
  auto wider = FreshModule(12);
  io::ExpectStatus(RunStage(*wider, RunOf(wider, folder)), absl::StatusCode::kFailedPrecondition,
                   {"up.", "another shape"});
}

class StagesTest : public ::testing::TestWithParam<std::string> {};

// With StageTest.KilledRunGoesOnBitForBit: a killed training of any stage ends in the same weights.
TEST_P(StagesTest, TrainingDependsOnTheSeedAlone) {
  const auto data = testing::ToyDataset(2, {.seed = 1, .frames = 8});
  TrainOptions options;
  options.dynamics_loss.unroll = 1;
  for (StageOptions* stage : {&options.vae, &options.dynamics, &options.reward, &options.error}) {
    stage->steps = 3;
    stage->batch = 4;
  }
  const auto train = [&](uint64_t seed) {
    const io::ScratchFolder folder;
    options.seed = seed;
    const StagePaths paths{.state_dir = folder.path(), .log_dir = "", .quiet = true};
    auto model = WorldModel::Create(testing::TinyConfig(GetParam()), 1).value();
    EXPECT_TRUE(TrainTokenizer(*model, data, options, paths).ok());
    const auto sequences = EncodeDataset(*model, data);
    model->normalizer = MeasureLatents(sequences, model->config.diffusion.sigma_data);
    EXPECT_TRUE(TrainDynamics(*model, sequences, options, paths).ok());
    LazyImagination imagination(*model, sequences, 3, options.seed, /*quiet=*/true);
    EXPECT_TRUE(TrainReward(*model, sequences, imagination, options, paths).ok());
    EXPECT_TRUE(TrainError(*model, imagination, options, paths).ok());
    return model;
  };
  const auto a = train(5), b = train(5), c = train(6);
  for (size_t i = 0; i < a->parts().size(); ++i) {
    EXPECT_TRUE(SameWeights(*a->parts()[i].second, *b->parts()[i].second));
    EXPECT_FALSE(SameWeights(*a->parts()[i].second, *c->parts()[i].second));
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, StagesTest, ::testing::Values("grid", "set"),
                         [](const auto& info) { return info.param; });

TEST(StagesErrorTest, ShortEpisodesAreRefused) {
  const io::ScratchFolder folder;
  auto model = WorldModel::Create(testing::TinyConfig("grid"), 1).value();
  const auto sequences = EncodeDataset(*model, testing::ToyDataset(1, {.frames = 4}));
  TrainOptions options;
  options.dynamics_loss.unroll = 3;
  io::ExpectStatus(TrainDynamics(*model, sequences, options,
                                 {.state_dir = folder.path(), .log_dir = "", .quiet = true}),
                   absl::StatusCode::kInvalidArgument, {"unroll"});
}

TEST(StagesErrorTest, ModelsWithoutAnErrorHeadAreTold) {
  const io::ScratchFolder folder;
  auto config = testing::TinyConfig("grid");
  config.error_head.width = 0;
  auto model = WorldModel::Create(config, 1).value();
  const std::vector<LatentSequence> none;
  LazyImagination imagination(*model, none, 3, 0, /*quiet=*/true);
  io::ExpectStatus(TrainError(*model, imagination, {},
                              {.state_dir = folder.path(), .log_dir = "", .quiet = true}),
                   absl::StatusCode::kFailedPrecondition, {"error_head.width"});
}

TEST(TrainOptionsTest, ComeBackFromTheirJsonAndRefuseUnknownFields) {
  TrainOptions options;
  options.vae.steps = 7;
  options.dynamics_loss.unroll = 1;
  const auto back = OverrideTrainOptions(TrainOptions{}, TrainOptionsToJson(options));
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(TrainOptionsToJson(*back), TrainOptionsToJson(options));
  io::ExpectStatus(OverrideTrainOptions(options, R"({"vae": {"stepz": 3}})").status(),
                   absl::StatusCode::kInvalidArgument, {"vae.stepz"});
}

}  // namespace
}  // namespace gwm
