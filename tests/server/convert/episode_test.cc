#include "server/convert/episode.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "engine/io/episode.h"
#include "server/base/error.h"
#include "tests/fakes/fake_world.h"

namespace gwm::server {
namespace {

namespace fs = std::filesystem;

class EpisodeTest : public ::testing::Test {
 protected:
  void SetUp() override {
    root_ = fs::path(::testing::TempDir()) / ("gwm_episodes_" + std::to_string(getpid()));
    fs::create_directories(root_ / "inside");
    ASSERT_TRUE(io::WriteEpisode((root_ / "inside" / "good.safetensors").string(), Sample(4)).ok());
    ASSERT_TRUE(io::WriteEpisode((root_.string() + "_outside.safetensors"), Sample(4)).ok());
  }
  void TearDown() override {
    fs::remove_all(root_);
    fs::remove(root_.string() + "_outside.safetensors");
  }

  // 4 frames whose pixels are their number, actions (t, t).
  static io::Episode Sample(int64_t height) {
    io::Episode episode;
    episode.rgb = HostTensor::Zeros(DType::kU8, {4, 1, height, 6, 3});
    for (size_t i = 0; i < episode.rgb.data.size(); ++i) {
      episode.rgb.data[i] = static_cast<char>(i / (episode.rgb.data.size() / 4));
    }
    episode.depth_mm = HostTensor::Zeros(DType::kU16, {4, 1, height, 6});
    const std::vector<float> intrinsics = {5, 0, 3, 0, 5, 2, 0, 0, 1};
    episode.intrinsics = HostTensor::From<float>({1, 3, 3}, std::span(intrinsics));
    episode.world_from_cam = HostTensor::Zeros(DType::kF32, {1, 4, 4});
    const std::vector<float> actions = {0, 0, 1, 1, 2, 2, 3, 3};
    episode.action = HostTensor::From<float>({4, 2}, std::span(actions));
    episode.reward = HostTensor::Zeros(DType::kF32, {4});
    episode.terminated = HostTensor::Zeros(DType::kU8, {4});
    episode.success = HostTensor::Zeros(DType::kU8, {4});
    return episode;
  }
  absl::StatusOr<FramesBatch> Load(const std::string& path, uint32_t frame) const {
    v1::EpisodeFrame request;
    request.set_path(path);
    request.set_frame(frame);
    return LoadEpisodeFrame(request, "episode", root_.string(), fakes::FakeSpec());
  }

  fs::path root_;
};

TEST_F(EpisodeTest, TakesTheFrameWithItsContextAndActions) {
  const auto batch = Load("inside/good.safetensors", 3);
  ASSERT_TRUE(batch.ok()) << batch.status();
  const RgbdFrames& row = batch->rows.at(0);
  EXPECT_EQ(row.rgb.shape[0], 2);
  EXPECT_EQ(row.rgb.values<uint8_t>().front(), 2);
  EXPECT_EQ(row.rgb.values<uint8_t>().back(), 3);
  ASSERT_TRUE(row.actions.has_value());
  EXPECT_EQ(row.actions->values<float>()[0], 3.0f);
}

TEST_F(EpisodeTest, TheFirstFrameHasNoContext) {
  const auto batch = Load("inside/good.safetensors", 0);
  ASSERT_TRUE(batch.ok());
  EXPECT_EQ(batch->rows.at(0).rgb.shape[0], 1);
  EXPECT_FALSE(batch->rows.at(0).actions.has_value());
}

TEST_F(EpisodeTest, RejectsAFramePastTheEnd) {
  const auto batch = Load("inside/good.safetensors", 4);
  EXPECT_EQ(batch.status().code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(DetailsOf(batch.status()).field, "episode.frame");
}

TEST_F(EpisodeTest, NoPathLeavesTheRootAndNoErrorShowsIt) {
  fs::create_symlink(root_.string() + "_outside.safetensors", root_ / "link.safetensors");
  for (const std::string& path :
       {std::string("../") + root_.filename().string() + "_outside.safetensors",
        root_.string() + "_outside.safetensors", std::string("link.safetensors"),
        std::string("inside/../../x"), std::string(), std::string("a\0b", 3)}) {
    const auto batch = Load(path, 0);
    EXPECT_EQ(batch.status().code(), absl::StatusCode::kInvalidArgument) << path;
    EXPECT_EQ(DetailsOf(batch.status()).field, "episode.path");
  }
  const auto missing = Load("nothing.safetensors", 0);
  EXPECT_EQ(missing.status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(missing.status().message().find(root_.string()), absl::string_view::npos);
  EXPECT_EQ(Load("inside", 0).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(EpisodeTest, RejectsFilesThatDoNotFit) {
  std::ofstream(root_ / "broken.safetensors") << "not an episode";
  EXPECT_EQ(Load("broken.safetensors", 0).status().code(), absl::StatusCode::kInvalidArgument);
  ASSERT_TRUE(io::WriteEpisode((root_ / "tall.safetensors").string(), Sample(5)).ok());
  const absl::Status tall = Load("tall.safetensors", 0).status();
  EXPECT_EQ(DetailsOf(tall).field, "episode.path");
}

}  // namespace
}  // namespace gwm::server
