// Helpers of the tests of engine/io.
#ifndef GWM_TESTS_ENGINE_IO_TEST_SUPPORT_H_
#define GWM_TESTS_ENGINE_IO_TEST_SUPPORT_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "engine/io/episode.h"

namespace gwm::io {

inline std::span<const uint8_t> AsBytes(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

// The status has the code, and its message holds every one of the parts.
inline void ExpectStatus(const absl::Status& status, absl::StatusCode code,
                         std::initializer_list<const char*> parts) {
  EXPECT_EQ(status.code(), code) << status.ToString();
  for (const char* part : parts) {
    EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr(part));
  }
}

// A fresh folder, removed at the end.
class ScratchFolder {
 public:
  ScratchFolder() {
    std::string name = ::testing::TempDir() + "gwm_io_XXXXXX";
    path_ = mkdtemp(name.data());
  }
  ~ScratchFolder() { std::filesystem::remove_all(path_); }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// A valid episode of T frames and V views with values that differ everywhere.
inline Episode SmallEpisode(int64_t frames = 3, int64_t views = 2, int64_t height = 4,
                            int64_t width = 5, int64_t action_dim = 4) {
  Episode episode;
  episode.rgb = HostTensor::Zeros(DType::kU8, {frames, views, height, width, 3});
  for (size_t i = 0; i < episode.rgb.data.size(); ++i) {
    episode.rgb.data[i] = static_cast<char>(i * 7);
  }
  episode.depth_mm = HostTensor::Zeros(DType::kU16, {frames, views, height, width});
  uint16_t depth_mm = 500;
  for (uint16_t& value : episode.depth_mm.mutable_values<uint16_t>()) value = depth_mm++;
  episode.intrinsics = HostTensor::Zeros(DType::kF32, {views, 3, 3});
  episode.world_from_cam = HostTensor::Zeros(DType::kF32, {views, 4, 4});
  for (int64_t view = 0; view < views; ++view) {
    for (int i : {0, 4, 8}) episode.intrinsics.mutable_values<float>()[view * 9 + i] = 50;
    for (int i : {0, 5, 10, 15}) episode.world_from_cam.mutable_values<float>()[view * 16 + i] = 1;
  }
  episode.action = HostTensor::Zeros(DType::kF32, {frames, action_dim});
  for (float& value : episode.action.mutable_values<float>()) value = 0.25F;
  episode.reward = HostTensor::Zeros(DType::kF32, {frames});
  episode.terminated = HostTensor::Zeros(DType::kU8, {frames});
  episode.success = HostTensor::Zeros(DType::kU8, {frames});
  episode.extra["state"] = HostTensor::Zeros(DType::kF32, {frames, 39});
  episode.metadata = {{"task", "hammer-v3"}, {"kind", "expert"}};
  return episode;
}

}  // namespace gwm::io

#endif  // GWM_TESTS_ENGINE_IO_TEST_SUPPORT_H_
