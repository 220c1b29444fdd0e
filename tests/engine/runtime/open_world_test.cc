#include <gtest/gtest.h>

#include "engine/io/file.h"
#include "tests/engine/runtime/world_fixture.h"

namespace gwm {
namespace {

using io::ExpectStatus;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

using OpenWorldTest = testing::WorldTest;

TEST_P(OpenWorldTest, SaysWhatIsWrong) {
  EXPECT_EQ(OpenWorld({.checkpoint_dir = folder_ / "none", .device = "cpu"}).status().code(),
            absl::StatusCode::kNotFound);
  Open();
  const std::string dir = folder_ / "model";
  EXPECT_EQ(OpenWorld({.checkpoint_dir = dir, .device = "tpu"}).status().code(), kInvalid);
  ExpectStatus(OpenWorld({.checkpoint_dir = dir, .device = "cpu", .pool_bytes = 1000, .threads = 1})
                   .status(),
               kInvalid, {"pool_bytes is 1000"});
  std::string weights = io::ReadFile(dir + "/model.safetensors").value();
  weights.back() = static_cast<char>(weights.back() ^ 1);
  ASSERT_TRUE(io::WriteFileAtomic(dir + "/model.safetensors", weights).ok());
  ExpectStatus(OpenWorld({.checkpoint_dir = dir, .device = "cpu"}).status(),
               absl::StatusCode::kDataLoss, {"model.safetensors"});
}

INSTANTIATE_TEST_SUITE_P(Kinds, OpenWorldTest, ::testing::Values("grid"),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace gwm
