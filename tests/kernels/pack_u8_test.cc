#include "kernels/pack_u8.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "kernels/parallel.h"
#include "tests/kernels/test_support.h"

namespace gwm::kernels {
namespace {

std::vector<uint8_t> Pack(const std::vector<float>& image, const CpuContext& cpu = {}) {
  std::vector<uint8_t> out(image.size());
  const int64_t n = static_cast<int64_t>(image.size());
  EXPECT_EQ(PackU8({image.data(), 1, n, out.data(), n}, cpu), KernelStatus::kOk);
  return out;
}

TEST(PackU8Test, RoundsHalvesToEvenAndClamps) {
  const std::vector<float> image = {
      0,    1,   .5f / 255, 1.5f / 255, 2.5f / 255, 127.4f / 255, -.1f,
      1.5f, NAN, INFINITY,  -INFINITY,  1e-30f,     254.6f / 255};
  EXPECT_EQ(Pack(image), (std::vector<uint8_t>{0, 255, 0, 2, 2, 127, 0, 255, 0, 255, 0, 0, 255}));
}

TEST(PackU8Test, FollowsTheRoundingOfTheFloatProductAtEveryLevelAndThreadCount) {
  Lcg lcg(3);
  const std::vector<float> image = UniformFloats(&lcg, 4099, -.2f, 1.2f);
  std::vector<uint8_t> want;
  for (const float x : image) {
    want.push_back(static_cast<uint8_t>(std::fmin(std::fmax(std::nearbyint(x * 255.0f), 0), 255)));
  }
  ThreadPool pool(2);
  for (const SimdLevel level : SupportedSimdLevels()) {
    EXPECT_EQ(Pack(image, {.simd = level}), want) << SimdLevelName(level);
    EXPECT_EQ(Pack(image, {.simd = level, .pool = &pool}), want) << SimdLevelName(level);
  }
}

TEST(PackU8Test, LeavesTheBytesBetweenRowsAlone) {
  const std::vector<float> image(6, 1.0f);
  std::vector<uint8_t> out(10, 7);
  ASSERT_EQ(PackU8({image.data(), 2, 3, out.data(), 5}), KernelStatus::kOk);
  EXPECT_EQ(out, (std::vector<uint8_t>{255, 255, 255, 7, 7, 255, 255, 255, 7, 7}));
}

TEST(PackU8Test, RejectsRowsThatOverlap) {
  const std::vector<float> image(4);
  std::vector<uint8_t> out(4);
  EXPECT_EQ(PackU8({image.data(), 2, 2, out.data(), 1}), KernelStatus::kInvalidArgument);
  EXPECT_EQ(PackU8({image.data(), -1, 2, out.data(), 2}), KernelStatus::kInvalidArgument);
  EXPECT_EQ(PackU8({nullptr, 0, 2, nullptr, 2}), KernelStatus::kOk);
}

}  // namespace
}  // namespace gwm::kernels
