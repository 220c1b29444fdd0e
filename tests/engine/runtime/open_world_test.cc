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

TEST_P(OpenWorldTest, ABf16WorldStepsNearlyAsAnFp32One) {
  const auto fp32 = Open();
  EXPECT_EQ(fp32->spec().precision, "fp32");
  const std::string dir = folder_ / "model";
  auto bf16 =
      OpenWorld({.checkpoint_dir = dir, .device = "cpu", .threads = 1, .precision = "bf16"});
  ASSERT_TRUE(bf16.ok()) << bf16.status();
  EXPECT_EQ((*bf16)->spec().precision, "bf16");
  const auto latents_after_a_step = [](World& world) {
    const auto states = ResetTo(world, {5});
    const auto action = Action(0, 0);
    const auto rows = world.Step({{.state = states[0], .action = action}}, {});
    EXPECT_TRUE(rows.ok()) << rows.status();
    const auto latents = world.Latents((*rows)[0].next);
    const auto values = latents->latents.values<float>();
    return std::vector<float>(values.begin(), values.end());
  };
  const auto exact = latents_after_a_step(*fp32), rounded = latents_after_a_step(**bf16);
  EXPECT_EQ(rounded, latents_after_a_step(**bf16));
  double largest = 0, difference = 0;
  for (size_t i = 0; i < exact.size(); ++i) {
    largest = std::max(largest, std::abs(double{exact[i]}));
    difference = std::max(difference, std::abs(double{exact[i]} - rounded[i]));
  }
  EXPECT_GT(difference, 0);
  EXPECT_LT(difference, .05 * largest);
}

TEST_P(OpenWorldTest, RefusesAnUnknownPrecision) {
  Open();
  ExpectStatus(OpenWorld({.checkpoint_dir = folder_ / "model", .precision = "fp8"}).status(),
               kInvalid, {"fp8", "auto, fp32 and bf16"});
}

INSTANTIATE_TEST_SUITE_P(Kinds, OpenWorldTest, ::testing::Values("grid"),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace gwm
