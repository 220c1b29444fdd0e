#include "engine/data/dataset.h"

#include <gtest/gtest.h>

#include "engine/data/latent_sequences.h"
#include "tests/engine/io/test_support.h"
#include "tests/engine/model/model_builders.h"
#include "tests/fakes/toy_scenes.h"

namespace gwm {
namespace {

TEST(DatasetTest, ReadsAllEpisodesOfAllFolders) {
  const io::ScratchFolder a, b;
  ASSERT_TRUE(
      io::WriteEpisode(a / "one.safetensors", testing::ToyEpisode({.seed = 1, .frames = 3})).ok());
  ASSERT_TRUE(
      io::WriteEpisode(b / "two.safetensors.zst", testing::ToyEpisode({.seed = 2, .frames = 5}))
          .ok());
  const auto data = LoadDataset({a.path(), b.path()}, testing::TinyConfig("grid"));
  ASSERT_TRUE(data.ok()) << data.status();
  ASSERT_EQ(data->episodes.size(), 2U);
  EXPECT_EQ(data->frames(), 8);
  const auto& e = data->episodes[1];
  EXPECT_EQ(e.rgb.sizes().vec(), (std::vector<int64_t>{5, 2, 32, 32, 3}));
  EXPECT_EQ(e.action.sizes().vec(), (std::vector<int64_t>{5, 4}));
  EXPECT_EQ(e.task, "toy-push");
  EXPECT_EQ(e.kind, "random");
  EXPECT_EQ(e.path, b / "two.safetensors.zst");
  EXPECT_TRUE(torch::equal(e.rgb, ToTensors(testing::ToyEpisode({.seed = 2, .frames = 5})).rgb));
}

TEST(DatasetTest, NamesTheFileThatDoesNotFitTheConfig) {
  const io::ScratchFolder folder;
  ASSERT_TRUE(
      io::WriteEpisode(folder / "toy.safetensors", testing::ToyEpisode({.frames = 2})).ok());
  const auto status = [&](const char* json) {
    return LoadDataset({folder.path()}, OverrideConfig(testing::TinyConfig("grid"), json).value())
        .status();
  };
  const auto code = absl::StatusCode::kInvalidArgument;
  io::ExpectStatus(status(R"({"views": 1})"), code, {"toy.safetensors", "2 views of 32x32"});
  io::ExpectStatus(status(R"({"height": 64})"), code, {"toy.safetensors", "64x32"});
  io::ExpectStatus(status(R"({"action_dim": 7})"), code, {"toy.safetensors", "7"});
  EXPECT_EQ(LoadDataset({folder / "nothing"}, testing::TinyConfig("grid")).status().code(),
            absl::StatusCode::kNotFound);
}

TEST(DatasetTest, PixelsHoldColourAndInverseDepth) {
  const auto data = testing::ToyDataset(1, {.seed = 3, .frames = 2});
  const auto& e = data.episodes[0];
  const auto pixels = data.Pixels(0, torch::full({1}, 1, torch::kLong), 6)[0];
  EXPECT_TRUE(torch::allclose(pixels.slice(1, 0, 3),
                              e.rgb[1].permute({0, 3, 1, 2}).to(torch::kFloat) / 255));
  const auto depth = e.depth_mm[1].to(torch::kFloat) * 1e-3;
  const auto hit = depth > 0;
  EXPECT_TRUE(hit.any().item<bool>());
  EXPECT_FALSE(hit.all().item<bool>());
  EXPECT_TRUE(
      torch::allclose(pixels.select(1, 3).masked_select(hit), 1 / depth.masked_select(hit)));
  EXPECT_TRUE(
      (pixels.select(1, 3).masked_select(hit.logical_not()) == 1.0F / 6).all().item<bool>());
}

class LatentSequencesTest : public ::testing::TestWithParam<std::string> {};

TEST_P(LatentSequencesTest, FramesActionsAndRewardsStayTogether) {
  const auto model = testing::ShakenModel(GetParam());
  const auto data = testing::ToyDataset(2, {.seed = 1, .frames = 9});
  const auto sequences = EncodeDataset(*model, data);
  const bool set = GetParam() == "set";
  ASSERT_EQ(sequences.size(), set ? 6U : 2U);
  for (const auto& s : sequences) {
    EXPECT_EQ(s.latents.sizes().vec(), (std::vector<int64_t>{s.frames(), 32, 16}));
    EXPECT_EQ(s.centres.size(0), set ? 1 : s.frames());
    EXPECT_EQ(s.action.size(0), s.frames());
    EXPECT_EQ(s.reward.size(0), s.frames());
    EXPECT_FALSE(s.latents.requires_grad());
  }
  // The second sequence of the set tokenizer starts at a third of the episode.
  const int64_t first = set ? 3 : 0;
  EXPECT_TRUE(torch::equal(sequences[1].reward, data.episodes[set ? 0 : 1].reward.slice(0, first)));
}

TEST_P(LatentSequencesTest, CacheIsReadBackForTheSameTokenizerOnly) {
  const io::ScratchFolder folder;
  const auto model = testing::ShakenModel(GetParam()), other = testing::ShakenModel(GetParam(), 12);
  const auto data = testing::ToyDataset(1, {.seed = 1, .frames = 6});
  const std::string path = folder / "latents.safetensors";
  const auto first = EncodeDatasetCached(*model, data, path, "a").value();
  const auto cached = EncodeDatasetCached(*other, data, path, "a").value();
  const auto fresh = EncodeDatasetCached(*other, data, path, "b").value();
  ASSERT_EQ(cached.size(), first.size());
  EXPECT_TRUE(torch::equal(cached[0].latents, first[0].latents));
  EXPECT_TRUE(torch::equal(cached[0].centres, first[0].centres));
  EXPECT_FALSE(torch::equal(fresh[0].latents, first[0].latents));
}

INSTANTIATE_TEST_SUITE_P(Kinds, LatentSequencesTest, ::testing::Values("grid", "set"),
                         [](const auto& info) { return info.param; });

TEST(LatentStatisticsTest, StandardisedLatentsHaveTheSpreadOfSigmaData) {
  testing::Normals normal(8);
  std::vector<LatentSequence> sequences(3);
  for (auto& s : sequences) s.latents = normal({20, 32, 16}) * 3 + 2;
  auto model = testing::ShakenModel("grid");
  model->normalizer = MeasureLatents(sequences, 0.5);
  const auto z = model->Standardise(
      torch::cat({sequences[0].latents, sequences[1].latents, sequences[2].latents}));
  const auto rows = z.flatten(0, 1);
  EXPECT_LE(rows.mean(0).abs().max().item<double>(), 1e-4);
  EXPECT_LE((rows.square().mean(0).sqrt() - 0.5).abs().max().item<double>(), 1e-4);
  const auto change = model->TargetOf(model->Standardise(sequences[0].latents.slice(0, 0, 19)),
                                      model->Standardise(sequences[0].latents.slice(0, 1)));
  EXPECT_NEAR(change.square().mean().sqrt().item<double>(), 0.5, 0.02);
}

TEST(ToySceneTest, ActionsMoveTheBallAndNothingElse) {
  const auto moving = testing::ToyDataset(1, {.seed = 5, .frames = 8}).episodes[0];
  const auto still = testing::ToyDataset(1, {.seed = 5, .frames = 8, .still = true}).episodes[0];
  EXPECT_TRUE(torch::equal(moving.rgb[0], still.rgb[0]));
  EXPECT_TRUE(torch::equal(still.rgb[7], still.rgb[0]));
  EXPECT_EQ(moving.action[0].abs().max().item<float>(), 0);
  const auto changed =
      (moving.rgb[7] != moving.rgb[0]).any(-1).to(torch::kFloat).mean().item<float>();
  EXPECT_GT(changed, 0.01);
  EXPECT_LT(changed, 0.3);
  EXPECT_GT((moving.reward[7] - moving.reward[0]).abs().item<float>(), 0);
}

}  // namespace
}  // namespace gwm
