#include "engine/scene/image_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/engine/scene/scene_builders.h"

namespace gwm {
namespace {

using ::testing::HasSubstr;
using testing::SeededGenerator;
using ::testing::ThrowsMessage;

torch::Tensor RandomImages(uint64_t seed) {
  torch::Generator generator = SeededGenerator(seed);
  return torch::rand({2, 3, 20, 17}, generator);
}

TEST(ImageMetricsTest, IdenticalImagesAreAtTheTop) {
  const torch::Tensor image = RandomImages(1);
  EXPECT_EQ(Mse(image, image).max().item<float>(), 0);
  EXPECT_NEAR(Psnr(image, image).min().item<float>(), 100, 1e-4);
  for (SsimBorder border : {SsimBorder::kCrop, SsimBorder::kReflect, SsimBorder::kSymmetric}) {
    EXPECT_NEAR(Ssim(image, image, border).min().item<float>(), 1, 1e-6);
  }
}

TEST(ImageMetricsTest, PsnrOfAKnownOffset) {
  const torch::Tensor image = RandomImages(2) * 0.5;
  EXPECT_NEAR(Psnr(image, image + 0.1)[0].item<double>(), 20, 1e-3);
  EXPECT_NEAR(L1(image, image + 0.1)[1].item<double>(), 0.1, 1e-6);
  EXPECT_NEAR(PsnrOf(0.01), 20, 1e-12);
  EXPECT_EQ(PsnrOf(0), 100);
}

TEST(ImageMetricsTest, BordersDifferOnlyNearTheEdge) {
  const torch::Tensor a = RandomImages(3), b = RandomImages(4);
  const torch::Tensor cropped = SsimMap(a, b, SsimBorder::kCrop);
  ASSERT_EQ(cropped.sizes(), (c10::IntArrayRef{2, 3, 10, 7}));
  for (SsimBorder border : {SsimBorder::kReflect, SsimBorder::kSymmetric}) {
    const torch::Tensor full = SsimMap(a, b, border);
    ASSERT_EQ(full.sizes(), a.sizes());
    EXPECT_TRUE(torch::allclose(full.slice(2, 5, -5).slice(3, 5, -5), cropped, 0, 1e-6));
  }
}

TEST(ImageMetricsTest, EqualsADirectSumOverOneWindow) {
  torch::Generator generator = SeededGenerator(5);
  const torch::Tensor a = torch::rand({1, 1, 11, 11}, generator).to(torch::kFloat64);
  const torch::Tensor b = torch::rand({1, 1, 11, 11}, generator).to(torch::kFloat64);
  const torch::Tensor x = torch::arange(11, torch::kFloat64) - 5;
  torch::Tensor line = (-(x * x) / (2 * 1.5 * 1.5)).exp();
  line = line / line.sum();
  const torch::Tensor weights = torch::outer(line, line);
  const auto mean = [&](const torch::Tensor& image) {
    return (image[0][0] * weights).sum().item<double>();
  };
  const double ma = mean(a), mb = mean(b);
  const double va = mean(a * a) - ma * ma, vb = mean(b * b) - mb * mb, cov = mean(a * b) - ma * mb;
  const double expected =
      (2 * ma * mb + 1e-4) * (2 * cov + 9e-4) / ((ma * ma + mb * mb + 1e-4) * (va + vb + 9e-4));
  EXPECT_NEAR(Ssim(a, b).item<double>(), expected, 1e-12);
}

TEST(ImageMetricsTest, RefusesImagesOfTwoShapes) {
  EXPECT_THAT(
      [] {
        Mse(torch::zeros({1, 3, 4, 4}), torch::zeros({1, 3, 4, 5}));
      },
      ThrowsMessage<c10::ValueError>(HasSubstr("b is Float [1, 3, 4, 5], expected [1, 3, 4, 4]")));
  EXPECT_THAT(
      [] {
        Ssim(torch::zeros({1, 3, 8, 8}), torch::zeros({1, 3, 8, 8}));
      },
      ThrowsMessage<c10::ValueError>(HasSubstr("at least 11 x 11")));
}

}  // namespace
}  // namespace gwm
