#include "engine/scene/render.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "kernels/parallel.h"
#include "tests/engine/scene/scene_builders.h"

namespace gwm {
namespace {

using ::testing::HasSubstr;
using testing::RandomScene;
using testing::SeededGenerator;
using testing::TestCamera;
using ::testing::ThrowsMessage;

double MaxDifference(const torch::Tensor& a, const torch::Tensor& b) {
  return (a - b).abs().max().item<double>();
}

Cameras TwoCameras(int width = 40, int height = 24) {
  const std::vector<Camera> cameras = {TestCamera(width, height, 0.4),
                                       TestCamera(width, height, 1.9)};
  return CamerasFrom(cameras);
}

// A fixed random weighting of all outputs: every output takes part in the gradient.
torch::Tensor WeightedSum(const RenderResult& images) {
  torch::Generator generator = SeededGenerator(99);
  const auto weighted = [&](const torch::Tensor& image) {
    return (image.to(torch::kFloat64) * torch::randn(image.sizes(), generator)).mean();
  };
  return weighted(images.rgb) + weighted(images.alpha) + weighted(images.depth);
}

std::vector<torch::Tensor> Leaves(Gaussians& g) {
  for (torch::Tensor* member : {&g.means, &g.log_scales, &g.quats, &g.sh, &g.opacity_logits}) {
    *member = member->detach().clone().requires_grad_(true);
  }
  return {g.means, g.log_scales, g.quats, g.sh, g.opacity_logits};
}

class RenderOptionsTest : public ::testing::TestWithParam<std::tuple<double, bool, int>> {};

TEST_P(RenderOptionsTest, AgreesWithThePlainFormInImagesAndGradients) {
  const auto [eps2d, antialiased, degree] = GetParam();
  const SplatOptions options{.eps2d = static_cast<float>(eps2d),
                             .background = {0.2f, 0.5f, 0.9f},
                             .antialiased = antialiased};
  Gaussians scene = RandomScene(7, 60, degree);
  Gaussians twin = scene;
  const std::vector<torch::Tensor> leaves = Leaves(scene), twin_leaves = Leaves(twin);

  const RenderResult image = Render(scene, TwoCameras(), options);
  const RenderResult expected = RenderPlain(twin, TwoCameras(), options);
  WeightedSum(image).backward();
  WeightedSum(expected).backward();

  EXPECT_LT(MaxDifference(image.rgb, expected.rgb), 5e-5);
  EXPECT_LT(MaxDifference(image.alpha, expected.alpha), 5e-5);
  EXPECT_LT(
      MaxDifference(image.depth * (image.alpha > 0.01), expected.depth * (image.alpha > 0.01)),
      1e-3);
  for (size_t i = 0; i < leaves.size(); ++i) {
    const torch::Tensor a = leaves[i].grad().flatten(), b = twin_leaves[i].grad().flatten();
    ASSERT_GT(b.norm().item<double>(), 0) << "member " << i;
    EXPECT_LT((a - b).norm().item<double>() / b.norm().item<double>(), 5e-3) << "member " << i;
    EXPECT_GT(torch::dot(a, b).item<double>() / (a.norm() * b.norm()).item<double>(), 0.9999);
  }
}

INSTANTIATE_TEST_SUITE_P(Options, RenderOptionsTest,
                         ::testing::Values(std::tuple(0.0, false, 0), std::tuple(0.3, false, 3),
                                           std::tuple(0.3, true, 1), std::tuple(0.0, false, 4)));

TEST(RenderTest, GradientsMatchFiniteDifferences) {
  Gaussians scene = RandomScene(3, 12, 1);
  // Wide, faint and seen from near their middle: where a splat fades below 1/255 the image jumps,
  // and a jump has no derivative.
  scene.log_scales = scene.log_scales + 2.6;
  scene.opacity_logits = 0.3 * scene.opacity_logits - 1;
  std::vector<torch::Tensor> leaves = Leaves(scene);
  Camera camera = TestCamera(24, 16);
  camera.width = 8;
  camera.height = 6;
  camera.intrinsics[2] = 4;
  camera.intrinsics[5] = 3;
  const Cameras cameras = CamerasFrom({&camera, 1});
  const SplatOptions options{.eps2d = 0.3f};
  const auto value = [&] {
    torch::NoGradGuard no_grad;
    return WeightedSum(Render(scene, cameras, options)).item<double>();
  };
  WeightedSum(Render(scene, cameras, options)).backward();
  torch::Generator generator = SeededGenerator(5);
  for (size_t i = 0; i < leaves.size(); ++i) {
    // Mostly along the gradient: the step of one f32 entry, or one across it, would drown in
    // rounding.
    const torch::Tensor noise = torch::randn(leaves[i].sizes(), generator);
    const torch::Tensor direction =
        leaves[i].grad() / leaves[i].grad().norm() + 0.5 * noise / noise.norm();
    const torch::Tensor base = leaves[i].detach().clone();
    const double step = 1e-4;
    leaves[i].data().copy_(base + step * direction);
    const double above = value();
    leaves[i].data().copy_(base - step * direction);
    const double below = value();
    leaves[i].data().copy_(base);
    const double expected = (above - below) / (2 * step);
    const double actual = (leaves[i].grad() * direction).sum().item<double>();
    EXPECT_NEAR(actual, expected, 2e-4 + 0.03 * std::abs(expected)) << "member " << i;
  }
}

TEST(RenderTest, BatchOfScenesEqualsEachSceneAloneBitForBit) {
  const std::vector<Gaussians> scenes = {RandomScene(1, 50), RandomScene(2, 50),
                                         RandomScene(3, 50)};
  const Cameras cameras = TwoCameras();
  const RenderResult batch = RenderBatch(Stack(scenes), cameras);
  for (size_t b = 0; b < scenes.size(); ++b) {
    const RenderResult alone = Render(scenes[b], cameras);
    EXPECT_TRUE(torch::equal(batch.rgb[static_cast<int64_t>(b)], alone.rgb));
    EXPECT_TRUE(torch::equal(batch.depth[static_cast<int64_t>(b)], alone.depth));
  }
}

TEST(RenderTest, CamerasMayDifferBetweenTheScenesOfABatch) {
  const std::vector<Gaussians> scenes = {RandomScene(1, 50), RandomScene(2, 50)};
  const Cameras two = TwoCameras();
  const Cameras own{two.intrinsics.unsqueeze(1), two.world_from_cam.unsqueeze(1), two.height,
                    two.width};
  const RenderResult batch = RenderBatch(Stack(scenes), own);
  EXPECT_TRUE(torch::equal(batch.rgb[1][0], Render(scenes[1], two.Slice(1, 2)).rgb[0]));
}

TEST(RenderTest, ThreadsChangeNoBitOfImagesOrGradients) {
  Gaussians alone = RandomScene(4, 300), threaded = alone;
  const std::vector<torch::Tensor> a = Leaves(alone), b = Leaves(threaded);
  const SplatOptions options{.pool = std::make_shared<kernels::ThreadPool>(3)};
  const RenderResult first = Render(alone, TwoCameras(64, 64));
  const RenderResult second = Render(threaded, TwoCameras(64, 64), options);
  EXPECT_TRUE(torch::equal(first.rgb, second.rgb));
  WeightedSum(first).backward();
  WeightedSum(second).backward();
  for (size_t i = 0; i < a.size(); ++i) EXPECT_TRUE(torch::equal(a[i].grad(), b[i].grad()));
}

TEST(RenderTest, NoGaussiansGiveTheBackground) {
  const SplatOptions options{.background = {0.25f, 0.5f, 0.75f}};
  const RenderResult image = Render(RandomScene(1, 0), TwoCameras(), options);
  const torch::Tensor expected = torch::tensor({0.25f, 0.5f, 0.75f}).expand_as(image.rgb);
  EXPECT_TRUE(torch::equal(image.rgb, expected));
  EXPECT_EQ(image.alpha.abs().max().item<float>(), 0);
  EXPECT_EQ(image.depth.abs().max().item<float>(), 0);
}

TEST(RenderTest, OpaqueWallGivesItsColourAndDepth) {
  Gaussians wall;
  const int64_t side = 41;
  const torch::Tensor line = torch::linspace(-1, 1, side);
  const auto grid = torch::meshgrid({line, line}, "ij");
  wall.means =
      torch::stack({grid[0].flatten(), grid[1].flatten(), torch::full({side * side}, 3.0)}, -1);
  wall.log_scales = torch::full({side * side, 3}, std::log(0.05));
  wall.quats = torch::tensor({1.0f, 0.0f, 0.0f, 0.0f}).repeat({side * side, 1});
  wall.sh = ShFromRgb(torch::tensor({0.1f, 0.6f, 0.3f})).repeat({side * side, 1}).unsqueeze(1);
  wall.opacity_logits = torch::full({side * side}, 5.0);
  Camera camera = TestCamera(20, 20);
  camera.world_from_cam = {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1};
  camera.intrinsics = {60, 0, 10, 0, 60, 10, 0, 0, 1};
  const RenderResult image = Render(wall, CamerasFrom({&camera, 1}));
  EXPECT_GT(image.alpha.min().item<double>(), 0.99);
  EXPECT_LT(MaxDifference(image.depth, torch::full({1, 20, 20}, 3.0)), 1e-3);
  EXPECT_LT(MaxDifference(image.rgb, torch::tensor({0.1f, 0.6f, 0.3f}).expand({1, 20, 20, 3})),
            0.01);
}

TEST(RenderTest, SaysWhichInputIsWrong) {
  Gaussians scene = RandomScene(1, 5);
  const Cameras cameras = TwoCameras();
  Gaussians bad = scene;
  bad.quats = torch::zeros({5, 3});
  EXPECT_THAT(
      [&] { Render(bad, cameras); },
      ThrowsMessage<c10::ValueError>(HasSubstr("quats is Float [5, 3], expected [..., 5, 4]")));
  bad = scene;
  bad.sh = torch::zeros({5, 2, 3});
  EXPECT_THAT([&] { Render(bad, cameras); },
              ThrowsMessage<c10::ValueError>(HasSubstr("K = 2 coefficients")));
  EXPECT_THAT([&] { Render(scene, cameras, {.eps2d = -1}); },
              ThrowsMessage<c10::ValueError>(HasSubstr("eps2d is -1")));
  EXPECT_THAT([&] { Render(scene, cameras, {.max_alpha = 1}); },
              ThrowsMessage<c10::ValueError>(HasSubstr("max_alpha is 1")));
}

TEST(RenderTest, ToU8RoundsAndClamps) {
  const torch::Tensor image = torch::tensor({-0.5f, 0.0f, 0.5f, 0.4999f / 255, 0.501f / 255, 2.0f});
  EXPECT_TRUE(torch::equal(ToU8(image), torch::tensor({0, 0, 128, 0, 1, 255}, torch::kUInt8)));
}

}  // namespace
}  // namespace gwm
