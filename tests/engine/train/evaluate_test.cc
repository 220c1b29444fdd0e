#include "engine/train/evaluate.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "engine/checkpoint/checkpoint.h"
#include "engine/io/file.h"
#include "engine/train/rank_statistics.h"
#include "engine/train/recipe.h"
#include "engine/train/reset_pool.h"
#include "engine/train/rollout_pictures.h"
#include "tests/engine/io/test_support.h"
#include "tests/engine/model/model_builders.h"
#include "tests/fakes/toy_scenes.h"

namespace gwm {
namespace {

using Json = nlohmann::json;

TEST(RocAucTest, MatchesHandValues) {
  EXPECT_DOUBLE_EQ(RocAuc({.1F, .4F, .35F, .8F}, {false, false, true, true}), 0.75);
  EXPECT_DOUBLE_EQ(RocAuc({1, 2, 3, 4}, {false, false, true, true}), 1);
  EXPECT_DOUBLE_EQ(RocAuc({4, 3, 2, 1}, {false, false, true, true}), 0);
  EXPECT_DOUBLE_EQ(RocAuc({5, 5, 5, 5}, {true, false, true, false}), 0.5);
  EXPECT_DOUBLE_EQ(RocAuc({1, 2, 2, 3}, {false, true, false, true}), 0.875);
  EXPECT_TRUE(std::isnan(RocAuc({1, 2}, {true, true})));
  EXPECT_TRUE(std::isnan(RocAuc({}, {})));
}

TEST(RankCorrelationTest, MatchesHandValues) {
  EXPECT_DOUBLE_EQ(RankCorrelation({1, 2, 3}, {10, 20, 400}), 1);
  EXPECT_DOUBLE_EQ(RankCorrelation({1, 2, 3}, {3, 2, 1}), -1);
  // Ranks 1 2 3 4 5 against 2 1 4 3 5: 1 - 6 * 4 / (5 * 24).
  EXPECT_DOUBLE_EQ(RankCorrelation({1, 2, 3, 4, 5}, {20, 10, 40, 30, 50}), 0.8);
  // Tied values share their rank: 1.5 1.5 3 against 1 2 3.
  EXPECT_NEAR(RankCorrelation({7, 7, 9}, {1, 2, 3}), std::sqrt(0.75), 1e-12);
  EXPECT_TRUE(std::isnan(RankCorrelation({1, 1, 1}, {1, 2, 3})));
  EXPECT_TRUE(std::isnan(RankCorrelation({}, {})));
}

Json Figures(const WorldModel& model, const Dataset& data,
             std::vector<int64_t> horizons = {1, 5, 10, 20}) {
  EvaluateOptions options{.horizons = std::move(horizons), .quiet = true};
  const auto result = Evaluate(model, data, options);
  EXPECT_TRUE(result.ok()) << result.status();
  EXPECT_NE(result->table.find("all"), std::string::npos);
  return Json::parse(result->json);
}

TEST(EvaluateTest, ReportsEveryFigureOfEveryHorizonAndKind) {
  const auto model = WorldModel::Create(testing::TinyConfig("grid"), 1).value();
  auto data = testing::ToyDataset(2, {.seed = 1, .frames = 24});
  data.episodes[0].kind = "expert";
  const Json json = Figures(*model, data);
  for (const char* kind : {"all", "expert", "random"}) {
    ASSERT_TRUE(json.contains(kind)) << kind;
    for (const char* horizon : {"1", "5", "10", "20"}) {
      ASSERT_TRUE(json[kind]["horizons"].contains(horizon)) << kind << " " << horizon;
      const Json& h = json[kind]["horizons"][horizon];
      for (const char* name :
           {"psnr", "psnr_repeat_last", "psnr_changed", "psnr_changed_repeat_last",
            "psnr_changed_shuffled", "ssim", "ssim_repeat_last", "depth_mae_m", "latent_r2"}) {
        ASSERT_TRUE(h.contains(name)) << name;
        EXPECT_TRUE(h[name].is_number()) << kind << " " << horizon << " " << name;
      }
    }
    EXPECT_TRUE(json[kind]["reward_mae"].is_number());
    EXPECT_TRUE(json[kind].contains("success_auc"));
  }
  EXPECT_FALSE(json.contains("noisy"));
}

TEST(EvaluateTest, RanksRolloutsByTheErrorThatTheModelExpects) {
  const auto model = testing::ShakenModel("grid");
  const auto data = testing::ToyDataset(2, {.seed = 1, .frames = 24});
  const auto horizons = Figures(*model, data, {1, 5})["all"]["horizons"];
  for (const char* horizon : {"1", "5"}) {
    const Json& e = horizons[horizon]["expected_error"];
    for (const char* name : {"rank_correlation", "rank_correlation_of_change"}) {
      ASSERT_TRUE(e[name].is_number()) << name;
      EXPECT_LE(std::abs(e[name].get<double>()), 1);
    }
    EXPECT_GT(e["mean"].get<double>(), 0);
    EXPECT_GT(e["mean_true"].get<double>(), 0);
  }
  model->error = nullptr;
  const auto without = Figures(*model, data, {5})["all"]["horizons"]["5"];
  EXPECT_FALSE(without.contains("expected_error"));
  EXPECT_EQ(without["psnr"], horizons["5"]["psnr"]);
}

TEST(EvaluateTest, TasksAreToldWithTheirRewardErrorAsAShareOfTheReturnRange) {
  const auto model = testing::ShakenModel("grid");
  auto data = testing::ToyDataset(2, {.seed = 1, .frames = 24});
  for (auto& e : data.episodes) e.task = "push";
  data.episodes[1].reward = data.episodes[0].reward + 2;
  const auto two = Evaluate(*model, data, {.horizons = {1}, .quiet = true}).value();
  const Json push = Json::parse(two.json)["tasks"]["push"];
  EXPECT_NEAR(push["return_range_per_step"].get<double>(), 2.0 * 24 / 23, 1e-5);
  EXPECT_NE(two.table.find("% of the return range per step"), std::string::npos);
  data.episodes.pop_back();
  const auto one = Evaluate(*model, data, {.horizons = {1}, .quiet = true}).value();
  EXPECT_EQ(one.table.find("return range"), std::string::npos);
}

TEST(EvaluateTest, JudgesImaginedStatesFromACameraThatTheModelNeverSaw) {
  auto config = testing::TinyConfig("grid");
  config.views = 1;
  const auto model = WorldModel::Create(config, 1).value();
  const auto two_views = testing::ToyDataset(1, {.seed = 1, .frames = 24});
  auto one_view = two_views;
  for (auto& e : one_view.episodes) {
    e.rgb = e.rgb.narrow(1, 0, 1);
    e.depth_mm = e.depth_mm.narrow(1, 0, 1);
    e.intrinsics = e.intrinsics.narrow(0, 0, 1);
    e.world_from_cam = e.world_from_cam.narrow(0, 0, 1);
  }
  EvaluateOptions options{.horizons = {1, 5}, .quiet = true};
  options.novel_view = &two_views;
  const auto all = Json::parse(Evaluate(*model, one_view, options)->json)["all"];
  for (const char* horizon : {"1", "5"}) {
    const Json& novel = all["novel_view"]["horizons"][horizon];
    EXPECT_GT(novel["psnr_tokenizer"].get<double>(), 5) << horizon;
    EXPECT_GT(novel["psnr"].get<double>(), 5) << horizon;
    EXPECT_GT(novel["psnr_repeat_last"].get<double>(), 5) << horizon;
    // Another camera sees another picture.
    EXPECT_NE(novel["psnr_tokenizer"], all["horizons"][horizon]["psnr_tokenizer"]);
  }
}

TEST(RolloutPicturesTest, TheMedianAndTheWorstRolloutOfATaskBecomeGifs) {
  const auto model = testing::ShakenModel("grid");
  const auto data = testing::ToyDataset(2, {.seed = 1, .frames = 24});
  const EvaluateOptions options{.horizons = {1, 5}, .quiet = true};
  const auto result = Evaluate(*model, data, options).value();
  ASSERT_FALSE(result.starts.empty());
  EXPECT_EQ(result.starts[0].steps, 5);
  const io::ScratchFolder folder;
  ASSERT_TRUE(
      WriteRolloutPictures(*model, data, result.starts, options, folder.path() + "/gifs").ok());
  for (const char* name : {"median", "worst"}) {
    const auto path = folder.path() + "/gifs/" + result.starts[0].task + "-" + name + ".gif";
    const auto gif = io::ReadFile(path);
    ASSERT_TRUE(gif.ok()) << gif.status();
    EXPECT_EQ(gif->substr(0, 6), "GIF89a");
  }
}

TEST(EvaluateTest, RepeatLastIsTheErrorOfTheStartFrame) {
  const auto model = WorldModel::Create(testing::TinyConfig("grid"), 1).value();
  const auto data = testing::ToyDataset(1, {.seed = 2, .frames = 9});
  const Json h = Figures(*model, data, {5})["all"]["horizons"]["5"];
  const auto bytes = data.episodes[0].rgb.to(torch::kInt);
  const auto rgb = bytes.to(torch::kDouble) / 255;
  // Starts 2, 7; only the first has a frame five steps later.
  const auto square = (rgb[2] - rgb[7]).square();
  EXPECT_NEAR(h["psnr_repeat_last"].get<double>(), -10 * std::log10(square.mean().item<double>()),
              1e-3);
  const auto changed = ((bytes[2] - bytes[7]).abs().amax(-1) > 10).unsqueeze(-1).expand_as(square);
  EXPECT_NEAR(h["psnr_changed_repeat_last"].get<double>(),
              -10 * std::log10(square.masked_select(changed).mean().item<double>()), 1e-3);
}

TEST(EvaluateTest, ModelThatPredictsNoChangeExplainsNothingOfIt) {
  const auto model = WorldModel::Create(testing::TinyConfig("grid"), 1).value();
  model->config.diffusion.mean_start = true;  // the untrained network adds nothing to zero
  const auto data = testing::ToyDataset(1, {.seed = 2, .frames = 9});
  const Json h = Figures(*model, data, {5})["all"]["horizons"]["5"];
  EXPECT_NEAR(h["latent_r2"].get<double>(), 0, 1e-6);
}

TEST(EvaluateTest, FiguresThatDoNotExistAreNull) {
  const auto model = WorldModel::Create(testing::TinyConfig("grid"), 1).value();
  auto data = testing::ToyDataset(2, {.seed = 1, .frames = 12, .still = true});
  for (auto& e : data.episodes) e.success.zero_();
  const Json json = Figures(*model, data);
  const Json& horizons = json["all"]["horizons"];
  EXPECT_TRUE(json["all"]["success_auc"].is_null());
  EXPECT_TRUE(horizons["5"]["psnr_changed"].is_null());
  EXPECT_TRUE(horizons["5"]["psnr"].is_number());
  ASSERT_TRUE(horizons.contains("20"));
  EXPECT_TRUE(horizons["20"]["psnr"].is_null());
  EXPECT_TRUE(horizons["20"]["ssim"].is_null());
}

TEST(EvaluateTest, EpisodesWithoutASingleStartAreRefused) {
  const auto model = WorldModel::Create(testing::TinyConfig("grid"), 1).value();
  const auto status =
      Evaluate(*model, testing::ToyDataset(1, {.frames = 3}), {.quiet = true}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
}

TEST(EvaluateTest, LongRolloutsAreReportedForLongEpisodes) {
  const auto model = WorldModel::Create(testing::TinyConfig("grid"), 1).value();
  auto data = testing::ToyDataset(1, {.seed = 3, .frames = 102});
  data.episodes[0].task = "other";
  const Json l = Figures(*model, data, {1})["all"]["long_rollout"];
  EXPECT_EQ(l["rollouts"], 1);
  EXPECT_TRUE(l["finite"].get<bool>());
  EXPECT_TRUE(l["psnr_last"].is_number());
  EXPECT_GE(l["worst_luminance_change"].get<double>(), 0);
}

TEST(ResetPoolTest, HoldsTheFirstFramesOfEachTask) {
  auto data = testing::ToyDataset(kResetPoolPerTask + 2, {.seed = 1, .frames = 3});
  data.episodes.back().task = "another";
  const auto config = testing::TinyConfig("grid");
  const auto file = MakeResetPool(data, config);
  const int64_t entries = kResetPoolPerTask + 1, frames = config.dynamics.context_frames;
  EXPECT_EQ(file.tensors.at("rgb").shape, (std::vector<int64_t>{entries, frames, 2, 32, 32, 3}));
  EXPECT_EQ(file.tensors.at("depth_mm").dtype, DType::kU16);
  EXPECT_EQ(file.tensors.at("action").shape, (std::vector<int64_t>{entries, frames - 1, 4}));
  EXPECT_EQ(file.metadata.at("task.0"), "toy-push");
  EXPECT_EQ(file.metadata.at("task.12"), "another");
  const auto first = testing::ToyEpisode({.seed = 1, .frames = 3});
  const size_t bytes = static_cast<size_t>(frames * 2 * 32 * 32 * 3);
  EXPECT_EQ(file.tensors.at("rgb").data.substr(0, bytes), first.rgb.data.substr(0, bytes));
}

class RecipeTest : public ::testing::Test {
 protected:
  RecipeTest() {
    EXPECT_TRUE(io::MakeDirectories(folder_ / "data").ok());
    for (uint64_t seed : {1, 2}) {
      const auto episode = testing::ToyEpisode({.seed = seed, .frames = 8});
      EXPECT_TRUE(
          io::WriteEpisode(folder_ / ("data/" + std::to_string(seed) + ".safetensors"), episode)
              .ok());
    }
    options_.data = {folder_ / "data"};
    options_.out = folder_ / "model";
    options_.model = testing::TinyConfig("grid");
    options_.device = "cpu";
    options_.threads = 1;
    options_.quiet = true;
    for (StageOptions* stage : {&options_.train.vae, &options_.train.dynamics,
                                &options_.train.reward, &options_.train.error}) {
      stage->steps = 3;
      stage->batch = 4;
    }
  }
  std::string Digest(const std::string& out) { return LoadCheckpoint(out).value().digest; }

  io::ScratchFolder folder_;
  RecipeOptions options_;
};

TEST_F(RecipeTest, StagesOneByOneGiveTheCheckpointOfAllAtOnce) {
  ASSERT_TRUE(RunRecipe(options_).ok());
  const auto whole = io::ReadFile(folder_ / "model/model.safetensors").value();
  options_.out = folder_ / "parts";
  options_.dynamics = options_.reward = options_.error = false;
  ASSERT_TRUE(RunRecipe(options_).ok());
  options_.tokenizer = false;
  options_.dynamics = true;
  ASSERT_TRUE(RunRecipe(options_).ok());
  options_.dynamics = false;
  options_.reward = true;
  ASSERT_TRUE(RunRecipe(options_).ok());
  options_.reward = false;
  options_.error = true;
  ASSERT_TRUE(RunRecipe(options_).ok());
  EXPECT_TRUE(io::ReadFile(folder_ / "parts/model.safetensors").value() == whole);
  EXPECT_TRUE(LoadCheckpoint(options_.out).ok());
}

TEST_F(RecipeTest, RunningAgainChangesNothing) {
  ASSERT_TRUE(RunRecipe(options_).ok());
  const std::string digest = Digest(options_.out);
  ASSERT_TRUE(RunRecipe(options_).ok());
  EXPECT_EQ(Digest(options_.out), digest);
}

TEST_F(RecipeTest, AnotherConfigInTheSameFolderIsRefused) {
  ASSERT_TRUE(RunRecipe(options_).ok());
  options_.model.dynamics.depth = 1;
  io::ExpectStatus(RunRecipe(options_), absl::StatusCode::kFailedPrecondition, {"another config"});
}

TEST_F(RecipeTest, APartTrainedAnewMayHaveAnotherShapeAndTheOthersMayNot) {
  ASSERT_TRUE(RunRecipe(options_).ok());
  ASSERT_GT(std::filesystem::remove_all(options_.out + ".work"), 0U);
  options_.tokenizer = options_.dynamics = options_.error = false;
  options_.model.reward.width /= 2;
  ASSERT_TRUE(RunRecipe(options_).ok());
  EXPECT_EQ(LoadCheckpoint(options_.out)->model->config.reward.width, options_.model.reward.width);
  options_.model.dynamics.depth = 1;
  io::ExpectStatus(RunRecipe(options_), absl::StatusCode::kFailedPrecondition, {"another config"});
}

TEST_F(RecipeTest, HeadsTrainedOnMoreDataLeaveTheStatisticsOfTheDynamicsAlone) {
  ASSERT_TRUE(RunRecipe(options_).ok());
  const auto before = LoadCheckpoint(options_.out)->model->normalizer;
  ASSERT_TRUE(io::WriteEpisode(folder_ / "data/3.safetensors",
                               testing::ToyEpisode({.seed = 3, .frames = 9}))
                  .ok());
  options_.tokenizer = options_.dynamics = false;
  ASSERT_TRUE(RunRecipe(options_).ok());
  const auto after = LoadCheckpoint(options_.out)->model->normalizer;
  EXPECT_TRUE(torch::equal(after.mean, before.mean));
  EXPECT_TRUE(torch::equal(after.std, before.std));
  EXPECT_TRUE(torch::equal(after.change_std, before.change_std));
}

TEST_F(RecipeTest, AWeightOnTheAbsoluteErrorTrainsAnotherHead) {
  options_.error = false;
  ASSERT_TRUE(RunRecipe(options_).ok());
  const std::string plain = Digest(options_.out);
  options_.out = folder_ / "absolute";
  options_.train.reward_loss.absolute = 1;
  ASSERT_TRUE(RunRecipe(options_).ok());
  EXPECT_NE(Digest(options_.out), plain);
}

}  // namespace
}  // namespace gwm
