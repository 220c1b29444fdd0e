#include "engine/perception/rgbd.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "engine/base/tensor_convert.h"
#include "engine/io/episode.h"
#include "engine/scene/image_metrics.h"
#include "engine/scene/render.h"

namespace gwm {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

struct Frames {
  Views views;         // rgb [T, V, H, W, 3] f32, depth [T, V, H, W] u16
  torch::Tensor mean;  // [T, 3]
};

Frames ReadFrames(const std::string& path, int64_t every) {
  const absl::StatusOr<io::Episode> episode = io::ReadEpisode(path);
  EXPECT_TRUE(episode.ok()) << episode.status();
  Frames frames;
  frames.views.rgb = RgbInUnit(ToTorch(episode->rgb).slice(0, 0, episode->frames(), every));
  frames.views.depth =
      ToTorch(episode->depth_mm).slice(0, 0, episode->frames(), every).contiguous();
  frames.views.cameras = {ToTorch(episode->intrinsics), ToTorch(episode->world_from_cam),
                          episode->height(), episode->width()};
  return frames;
}

Views FirstView(const Views& views) {
  return {views.rgb.slice(-4, 0, 1), views.depth.slice(-3, 0, 1).contiguous(),
          views.cameras.Slice(0, 1)};
}

std::vector<std::string> Episodes(const std::string& root) {
  const auto paths = io::ListEpisodes(root);
  EXPECT_TRUE(paths.ok()) << paths.status();
  return paths.value_or(std::vector<std::string>());
}

// Pooled over frames, for each view: {own view, moved view}.
std::vector<double> PooledPsnr(const std::string& root, int64_t every) {
  torch::NoGradGuard no_grad;
  const RgbdFrontend frontend;
  torch::Tensor squared_error;
  double count = 0;
  for (const std::string& path : Episodes(root)) {
    const Frames frames = ReadFrames(path, every);
    const Views seen = FirstView(frames.views);
    const SplatOptions options{.backgrounds = MeanColour(seen.rgb)};
    const RenderResult image = RenderBatch(frontend.Encode(seen), frames.views.cameras, options);
    const torch::Tensor error = (image.rgb.clamp(0, 1) - frames.views.rgb).square().mean({2, 3, 4});
    squared_error = squared_error.defined() ? squared_error + error.sum(0) : error.sum(0);
    count += static_cast<double>(error.size(0));
  }
  std::vector<double> result;
  for (int64_t v = 0; v < squared_error.size(0); ++v) {
    result.push_back(PsnrOf(squared_error[v].item<double>() / count));
  }
  return result;
}

TEST(RgbdTest, RendersRealFramesBackAt33dB) {
  const double psnr = PooledPsnr("tests/data/episodes", /*every=*/25)[0];
  RecordProperty("psnr_db", std::to_string(psnr));
  EXPECT_GE(psnr, 33);
}

TEST(RgbdTest, RendersACameraMovedBy5cmAt23dB) {
  const std::vector<double> psnr = PooledPsnr("tests/data/two_view", /*every=*/1);
  ASSERT_EQ(psnr.size(), 2u);
  RecordProperty("psnr_own_db", std::to_string(psnr[0]));
  RecordProperty("psnr_moved_db", std::to_string(psnr[1]));
  EXPECT_GE(psnr[0], 33);
  EXPECT_GE(psnr[1], 23);
}

TEST(RgbdTest, PlainOptionsKeepOrderScaleAndPose) {
  const Frames frames = ReadFrames(Episodes("tests/data/two_view").at(0), 5);
  const Gaussians gaussians = GaussiansFromRgbd(frames.views, {.scale_px = 0.5, .far_m = 4});
  const Cameras& cameras = frames.views.cameras;
  ASSERT_EQ(gaussians.means.sizes(), (c10::IntArrayRef{3, 2 * 64 * 64, 3}));
  // Gaussian (view 1, row 10, column 20) of frame 2.
  const int64_t n = (1 * 64 + 10) * 64 + 20;
  const Projection seen = Project(gaussians.means[2].slice(0, n, n + 1), cameras.Slice(1, 2));
  EXPECT_TRUE(torch::allclose(seen.uv[0][0], torch::tensor({20.5f, 10.5f}), 0, 1e-3));
  const double measured =
      frames.views.depth.to(torch::kFloat32)[2][1][10][20].item<double>() / 1000;
  const double expected = measured > 0 ? measured : 4;
  EXPECT_NEAR(seen.depth.item<double>(), expected, 1e-4);
  const double focal = cameras.intrinsics[1][0][0].item<double>();
  EXPECT_NEAR(gaussians.scales()[2][n][0].item<double>(), 0.5 * expected / focal, 1e-6);
  EXPECT_TRUE(torch::allclose(gaussians.rgb0()[2][n], frames.views.rgb[2][1][10][20], 0, 1e-6));
  EXPECT_NEAR(gaussians.opacities()[2][n].item<double>(), 0.99, 1e-6);
}

TEST(RgbdTest, BatchEqualsEachFrameAlone) {
  const Frames frames = ReadFrames(Episodes("tests/data/two_view").at(1), 5);
  const RgbdFrontend frontend;
  const Gaussians batch = frontend.Encode(frames.views);
  for (int64_t t = 0; t < batch.means.size(0); ++t) {
    const Gaussians alone =
        frontend.Encode({frames.views.rgb[t], frames.views.depth[t], frames.views.cameras});
    EXPECT_TRUE(torch::equal(batch.means[t], alone.means));
    EXPECT_TRUE(torch::equal(batch.sh[t], alone.sh));
  }
}

TEST(RgbdTest, FloatMetresEqualMillimetres) {
  const Frames frames = ReadFrames(Episodes("tests/data/two_view").at(2), 10);
  Views metres = frames.views;
  metres.depth = frames.views.depth.to(torch::kFloat32) / 1000;
  metres.depth.flatten().index_put_({torch::tensor({0, 1, 2})},
                                    torch::tensor({NAN, -1.0f, INFINITY}));
  Views millimetres = frames.views;
  torch::Tensor raw = frames.views.depth.to(torch::kInt32);
  raw.flatten().slice(0, 0, 3).fill_(0);
  millimetres.depth = raw.to(torch::kUInt16);
  EXPECT_TRUE(torch::allclose(GaussiansFromRgbd(metres).means, GaussiansFromRgbd(millimetres).means,
                              0, 1e-6));
}

TEST(RgbdTest, GradientsReachColourAndDepth) {
  const Frames frames = ReadFrames(Episodes("tests/data/two_view").at(0), 10);
  Views views = FirstView(frames.views);
  views.rgb = views.rgb.clone().requires_grad_(true);
  views.depth = (views.depth.to(torch::kFloat32) / 1000).clamp_min(0.1).requires_grad_(true);
  const Gaussians gaussians = GaussiansFromRgbd(views);
  RenderBatch(gaussians, views.cameras).rgb.square().mean().backward();
  EXPECT_GT(views.rgb.grad().abs().sum().item<double>(), 0);
  EXPECT_GT(views.depth.grad().abs().sum().item<double>(), 0);
}

TEST(FillDepthHolesTest, FillsIsolatedZerosAndLeavesTheBackground) {
  torch::Tensor depth = torch::full({8, 8}, 2.0);
  depth.slice(1, 5, 8).fill_(0);  // background
  depth[3][2] = 0;                // hole
  const torch::Tensor filled = FillDepthHoles(depth);
  EXPECT_EQ(filled[3][2].item<float>(), 2);
  EXPECT_TRUE(torch::equal(filled.slice(1, 5, 8), torch::zeros({8, 3})));
  EXPECT_TRUE(torch::equal(filled.slice(1, 0, 5), torch::full({8, 5}, 2.0)));
}

TEST(FrontendTest, IsChosenByKindAndRefusesMalformedViews) {
  const auto frontend = CreateFrontend("rgbd");
  ASSERT_TRUE(frontend.ok());
  EXPECT_EQ(CreateFrontend("magic").status().message(), "front-end is 'magic', allowed is rgbd");
  Views views = FirstView(ReadFrames(Episodes("tests/data/two_view").at(0), 10).views);
  views.depth = views.depth.slice(-1, 0, 32).contiguous();
  EXPECT_THAT([&] { (*frontend)->Encode(views); },
              ThrowsMessage<c10::ValueError>(HasSubstr("depth is UInt16 [2, 1, 64, 32]")));
  views.depth = torch::zeros({2, 1, 64, 64}, torch::kInt32);
  EXPECT_THAT(
      [&] { (*frontend)->Encode(views); },
      ThrowsMessage<c10::ValueError>(HasSubstr("expected UInt16 millimetres or Float metres")));
}

}  // namespace
}  // namespace gwm
