#include "engine/io/episode.h"

#include <cmath>
#include <filesystem>
#include <fstream>
#include <functional>

#include "tests/engine/io/test_support.h"

namespace gwm::io {
namespace {

void ExpectRefused(const std::function<void(Episode&)>& spoil,
                   std::initializer_list<const char*> parts) {
  Episode episode = SmallEpisode();
  spoil(episode);
  ExpectStatus(CheckEpisode(episode), absl::StatusCode::kInvalidArgument, parts);
}

TEST(EpisodeTest, ComesBackFromAFileAsItWas) {
  const ScratchFolder folder;
  const Episode episode = SmallEpisode();
  for (const char* name : {"e.safetensors", "e.safetensors.zst"}) {
    ASSERT_TRUE(WriteEpisode(folder / name, episode).ok());
    const auto read = ReadEpisode(folder / name);
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(read->rgb.data, episode.rgb.data);
    EXPECT_EQ(read->depth_mm.data, episode.depth_mm.data);
    EXPECT_EQ(read->action.data, episode.action.data);
    EXPECT_EQ(read->extra.at("state").shape, (std::vector<int64_t>{3, 39}));
    EXPECT_EQ(read->meta("format"), "gwm-episode-1");
    EXPECT_EQ(read->meta("task"), "hammer-v3");
    EXPECT_EQ(read->meta("nothing"), "");
  }
}

TEST(EpisodeTest, KnowsItsSizes) {
  const Episode episode = SmallEpisode(3, 2, 4, 5, 7);
  EXPECT_EQ(episode.frames(), 3);
  EXPECT_EQ(episode.views(), 2);
  EXPECT_EQ(episode.height(), 4);
  EXPECT_EQ(episode.width(), 5);
  EXPECT_EQ(episode.action_dim(), 7);
}

TEST(EpisodeTest, NamesTheTensorThatIsMissing) {
  for (const char* name : {"rgb", "depth_mm", "intrinsics", "world_from_cam", "action", "reward",
                           "terminated", "success"}) {
    TensorFile file = EpisodeToTensors(SmallEpisode());
    file.tensors.erase(name);
    ExpectStatus(EpisodeFromTensors(file).status(), absl::StatusCode::kInvalidArgument,
                 {"no tensor", name});
  }
}

TEST(EpisodeTest, RefusesOtherFormats) {
  TensorFile file = EpisodeToTensors(SmallEpisode());
  file.metadata["format"] = "gwm-episode-2";
  ExpectStatus(EpisodeFromTensors(file).status(), absl::StatusCode::kInvalidArgument,
               {"'format' is another one", "gwm-episode-1"});
  file.metadata.erase("format");
  ExpectStatus(EpisodeFromTensors(file).status(), absl::StatusCode::kInvalidArgument,
               {"'format' is missing"});
}

TEST(EpisodeTest, RefusesShapesThatContradictEachOther) {
  ExpectRefused([](Episode& e) { e.rgb.dtype = DType::kI8; }, {"'rgb'", "i8", "must be u8"});
  ExpectRefused(
      [](Episode& e) {
        e.rgb = HostTensor::Zeros(DType::kU8, {3, 2, 4, 5, 4});
      },
      {"'rgb'", "[*, *, *, *, 3]"});
  ExpectRefused(
      [](Episode& e) {
        e.depth_mm = HostTensor::Zeros(DType::kU16, {3, 2, 5, 4});
      },
      {"'depth_mm' is u16 [3, 2, 5, 4]", "must be u16 [3, 2, 4, 5]"});
  ExpectRefused(
      [](Episode& e) {
        e.intrinsics = HostTensor::Zeros(DType::kF32, {1, 3, 3});
      },
      {"'intrinsics'", "[2, 3, 3]"});
  ExpectRefused(
      [](Episode& e) {
        e.world_from_cam.shape = {2, 16};
      },
      {"'world_from_cam'", "[2, 4, 4]"});
  ExpectRefused(
      [](Episode& e) {
        e.action = HostTensor::Zeros(DType::kF32, {2, 4});
      },
      {"'action'", "[3, *]"});
  ExpectRefused([](Episode& e) { e.reward = HostTensor::Zeros(DType::kF64, {3}); },
                {"'reward' is f64 [3]", "f32 [3]"});
  ExpectRefused([](Episode& e) { e.terminated = HostTensor::Zeros(DType::kU8, {4}); },
                {"'terminated'"});
  ExpectRefused([](Episode& e) { e.success = HostTensor::Zeros(DType::kBool, {3}); },
                {"'success' is bool"});
}

TEST(EpisodeTest, RefusesEmptyEpisodes) {
  for (int axis = 0; axis < 4; ++axis) {
    Episode episode = SmallEpisode();
    std::vector<int64_t> shape = {3, 2, 4, 5, 3};
    shape[axis] = 0;
    episode.rgb = HostTensor::Zeros(DType::kU8, shape);
    ExpectStatus(CheckEpisode(episode), absl::StatusCode::kInvalidArgument,
                 {"'rgb'", "at least 1"});
  }
}

TEST(EpisodeTest, RefusesDataThatDoesNotFillItsShape) {
  ExpectRefused([](Episode& e) { e.rgb.data.pop_back(); }, {"'rgb'", "359 bytes"});
  ExpectRefused([](Episode& e) { e.reward.data.clear(); }, {"'reward'", "0 bytes"});
}

TEST(EpisodeTest, RefusesValuesThatAreNotFinite) {
  ExpectRefused([](Episode& e) { e.action.mutable_values<float>()[5] = NAN; },
                {"'action'", "nan", "element 5"});
  ExpectRefused([](Episode& e) { e.reward.mutable_values<float>()[2] = INFINITY; },
                {"'reward'", "inf", "element 2"});
  ExpectRefused([](Episode& e) { e.world_from_cam.mutable_values<float>()[3] = -INFINITY; },
                {"'world_from_cam'"});
  ExpectRefused([](Episode& e) { e.intrinsics.mutable_values<float>()[9 + 4] = 0; },
                {"'intrinsics'", "focal length 0", "view 1"});
}

TEST(EpisodeTest, WritesNothingWhenItIsMalformed) {
  const ScratchFolder folder;
  Episode episode = SmallEpisode();
  episode.success.shape = {1};
  ExpectStatus(WriteEpisode(folder / "e.safetensors", episode), absl::StatusCode::kInvalidArgument,
               {"'success'", "e.safetensors"});
  EXPECT_FALSE(std::filesystem::exists(folder / "e.safetensors"));
}

TEST(ListEpisodesTest, FindsEpisodesInSubfoldersInOrder) {
  const ScratchFolder folder;
  std::filesystem::create_directories(folder / "b/c");
  for (const char* name : {"b/c/z.safetensors", "b/y.safetensors.zst", "a.safetensors.zst",
                           "a.safetensors.zst.tmp.1.0", "README.md"}) {
    std::ofstream(folder / name) << "x";
  }
  const auto found = ListEpisodes(folder.path());
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_THAT(*found,
              ::testing::ElementsAre(folder / "a.safetensors.zst", folder / "b/c/z.safetensors",
                                     folder / "b/y.safetensors.zst"));
  const auto one = ListEpisodes(folder / "a.safetensors.zst");
  ASSERT_TRUE(one.ok());
  EXPECT_THAT(*one, ::testing::ElementsAre(folder / "a.safetensors.zst"));
}

TEST(ListEpisodesTest, SaysWhenThereAreNone) {
  const ScratchFolder folder;
  ExpectStatus(ListEpisodes(folder.path()).status(), absl::StatusCode::kNotFound,
               {"*.safetensors.zst"});
  ExpectStatus(ListEpisodes(folder / "missing").status(), absl::StatusCode::kNotFound, {"missing"});
}

}  // namespace
}  // namespace gwm::io
