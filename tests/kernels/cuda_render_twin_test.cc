// Projection, rasteriser and render against their CPU twins.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "tests/kernels/cuda_scene.h"
#include "tests/kernels/raster_scene.h"
#include "tests/kernels/test_support.h"

namespace gwm::kernels {
namespace {

constexpr int64_t kAmple = 1 << 14;  // pairs per view

using CudaRenderTwinTest = CudaTwinTest;

void ExpectSameImages(const RasterScene& scene) {
  RenderScratch scratch;
  const RasterImages want = Render(scene, &scratch);
  CudaScene device(scene, kAmple);
  device.Render();
  const RasterImages got = device.ReadImages();
  EXPECT_EQ(got.rgb, want.rgb);
  EXPECT_EQ(got.alpha, want.alpha);
  EXPECT_EQ(got.depth, want.depth);
}

void ExpectSameGradients(const RasterScene& scene) {
  RenderScratch scratch;
  const RasterImages weights = MakeWeights(scene, 31);
  const SceneGradients want = RenderGradients(scene, weights, &scratch);
  CudaScene device(scene, kAmple);
  const SceneGradients got = device.Gradients(weights);
  EXPECT_EQ(got.means, want.means);
  EXPECT_EQ(got.quats, want.quats);
  EXPECT_EQ(got.scales, want.scales);
  EXPECT_EQ(got.opacities, want.opacities);
  EXPECT_EQ(got.colors, want.colors);
  EXPECT_LT(Match(got.background, want.background, 1e-6, 1e-6).worst_excess, 1);
}

TEST_F(CudaRenderTwinTest, ImagesHaveTheSameBitsForRaggedSizes) {
  const int sizes[][2] = {{1, 1}, {15, 7}, {17, 9}, {64, 40}, {5, 70}};
  for (const auto& size : sizes) {
    SCOPED_TRACE(testing::Message() << size[0] << "x" << size[1]);
    SceneSpec spec = {.gaussians = 150, .width = size[0], .height = size[1]};
    spec.seed = static_cast<uint64_t>(size[0] + size[1]);
    ExpectSameImages(MakeScene(spec));
  }
}

TEST_F(CudaRenderTwinTest, ImagesHaveTheSameBitsOverScenesAndViews) {
  ExpectSameImages(MakeScene(
      {.scenes = 2, .gaussians = 300, .views_per_scene = 2, .width = 33, .height = 24, .seed = 8}));
}

TEST_F(CudaRenderTwinTest, ImagesHaveTheSameBitsForManySmallSplatsWithoutDilation) {
  SceneSpec spec = {.gaussians = 2500, .width = 64, .height = 48, .sigma_px = .5f};
  spec.options.eps2d = 0;
  ExpectSameImages(MakeScene(spec));
}

TEST_F(CudaRenderTwinTest, ImagesHaveTheSameBitsWhereListsAreLongAndRaysStop) {
  SceneSpec spec = {.gaussians = 500, .width = 32, .height = 16, .sigma_px = 8};
  spec.options.max_alpha = .7f;
  ExpectSameImages(MakeScene(spec));
}

TEST_F(CudaRenderTwinTest, GradientsHaveTheSameBitsWithDirectColors) {
  ExpectSameGradients(MakeScene({.gaussians = 100, .width = 40, .height = 30, .seed = 2}));
}

TEST_F(CudaRenderTwinTest, GradientsHaveTheSameBitsAtEveryDegree) {
  for (int degree = 0; degree <= kMaxShDegree; ++degree) {
    SCOPED_TRACE(degree);
    ExpectSameGradients(MakeScene({.gaussians = 40, .sh_degree = degree, .seed = 3}));
  }
}

TEST_F(CudaRenderTwinTest, GradientsHaveTheSameBitsOverScenesAndViews) {
  SceneSpec spec = {
      .scenes = 2, .gaussians = 90, .views_per_scene = 3, .width = 18, .height = 11, .seed = 7};
  spec.options.antialias = Antialias::kCompensate;
  ExpectSameGradients(MakeScene(spec));
}

TEST_F(CudaRenderTwinTest, GradientsHaveTheSameBitsWhereAlphaIsClampedAndRaysStop) {
  SceneSpec spec = {.gaussians = 300, .width = 17, .height = 9, .sigma_px = 6, .seed = 11};
  spec.options.max_alpha = .7f;
  ExpectSameGradients(MakeScene(spec));
}

TEST_F(CudaRenderTwinTest, TileListsAreThoseOfTheCpu) {
  const RasterScene scene =
      MakeScene({.gaussians = 1200, .views_per_scene = 2, .width = 70, .height = 50, .seed = 4});
  RenderScratch scratch;
  Render(scene, &scratch);
  CudaScene device(scene, kAmple);
  device.Render();
  const RasterCudaState& got = device.workspace().state;
  const RasterState& want = scratch.state();
  const int64_t tiles = NumTiles(70, 50);
  for (int64_t v = 0; v < 2; ++v) {
    const int64_t first = want.tile_offsets[v * tiles];
    const std::vector<int32_t> offsets =
        CudaScene::ReadArray(got.tile_offsets + v * (tiles + 1), tiles + 1);
    for (int64_t t = 0; t <= tiles; ++t) {
      ASSERT_EQ(offsets[t], want.tile_offsets[v * tiles + t] - first);
    }
    ASSERT_GT(offsets[tiles], kPairsPerChunk);  // more than one warp deals
    const std::vector<int32_t> splats =
        CudaScene::ReadArray(got.pair_splats + v * kAmple, offsets[tiles]);
    const std::vector<int32_t> slots =
        CudaScene::ReadArray(got.pair_slots + v * kAmple, offsets[tiles]);
    for (int64_t p = 0; p < offsets[tiles]; ++p) {
      ASSERT_EQ(splats[p], want.pair_splats[first + p]);
      ASSERT_EQ(slots[p], want.pair_slots[first + p] - first);
    }
  }
}

TEST_F(CudaRenderTwinTest, PutsTheLowerIndexInFrontAtEqualDepth) {
  RasterScene scene = MakeScene({.gaussians = 400, .width = 32, .height = 24});
  // One camera that looks along z: equal z is equal depth.
  scene.viewmats = {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 2, 0, 0, 0, 1};
  for (int64_t g = 0; g < scene.gaussians; ++g) scene.means[3 * g + 2] = .25f * (g % 2);
  ExpectSameImages(scene);
}

// The largest number of pairs of a view, and a scene whose views need different numbers.
struct TwoViews {
  RasterScene scene = MakeScene({.gaussians = 200, .views_per_scene = 2});
  std::vector<int64_t> pairs;
  TwoViews() {
    // The second camera steps back, so its splats are smaller.
    scene.viewmats[16 + 11] += 4;
    RenderScratch scratch;
    Render(scene, &scratch);
    const int64_t* offsets = scratch.state().splat_offsets;
    pairs = {offsets[200], offsets[400] - offsets[200]};
  }
};

TEST_F(CudaRenderTwinTest, AViewWhosePairsDoNotFitIsReportedAndShowsTheBackground) {
  const TwoViews views;
  ASSERT_GT(views.pairs[0], views.pairs[1]);
  CudaScene device(views.scene, views.pairs[0] - 1);
  const SceneGradients gradients = device.Gradients(MakeWeights(views.scene, 5));
  EXPECT_EQ(device.ReadPairsNeeded(), std::vector<int32_t>(views.pairs.begin(), views.pairs.end()));
  RenderScratch scratch;
  const RasterImages want = Render(views.scene, &scratch), got = device.ReadImages();
  const int64_t pixels = views.scene.pixels() / 2;
  for (int64_t p = 0; p < pixels; ++p) {
    ASSERT_EQ(got.alpha[p], 0);
    ASSERT_EQ(got.rgb[3 * p], views.scene.background[0]);
  }
  EXPECT_TRUE(
      std::equal(want.rgb.begin() + 3 * pixels, want.rgb.end(), got.rgb.begin() + 3 * pixels));
  // The gradient is that of the view which fits.
  RasterScene second = views.scene;
  second.viewmats.erase(second.viewmats.begin(), second.viewmats.begin() + 16);
  second.intrinsics.erase(second.intrinsics.begin(), second.intrinsics.begin() + 9);
  second.background.erase(second.background.begin(), second.background.begin() + 3);
  second.views_per_scene = 1;
  RasterImages weights = MakeWeights(views.scene, 5);
  weights.rgb.erase(weights.rgb.begin(), weights.rgb.begin() + 3 * pixels);
  weights.alpha.erase(weights.alpha.begin(), weights.alpha.begin() + pixels);
  weights.depth.erase(weights.depth.begin(), weights.depth.begin() + pixels);
  EXPECT_EQ(gradients.means, RenderGradients(second, weights, &scratch).means);
}

TEST_F(CudaRenderTwinTest, TheRoomThatIsReportedSuffices) {
  const TwoViews views;
  RenderScratch scratch;
  CudaScene none(views.scene, 0);
  none.Render();
  const std::vector<int32_t> needed = none.ReadPairsNeeded();
  CudaScene device(views.scene, *std::max_element(needed.begin(), needed.end()));
  device.Render();
  EXPECT_EQ(device.ReadImages(), Render(views.scene, &scratch));
}

TEST_F(CudaRenderTwinTest, AnEmptySceneShowsTheBackground) {
  const RasterScene scene = MakeScene({.gaussians = 0});
  ExpectSameImages(scene);
  ExpectSameGradients(scene);
}

TEST_F(CudaRenderTwinTest, WhatCannotBeSeenIsSkipped) {
  RasterScene scene = MakeScene({.gaussians = 40});
  for (int64_t g = 0; g < scene.gaussians; g += 4) {
    scene.means[3 * g + 2] = -5;          // behind the camera
    scene.means[3 * (g + 1)] = NAN;       // nowhere
    scene.opacities[g + 2] = 1.0f / 300;  // below the threshold
  }
  ExpectSameImages(scene);
  ExpectSameGradients(scene);
}

TEST_F(CudaRenderTwinTest, SizesThatAreNotTheWorkspacesAreRefused) {
  const RasterScene scene = MakeScene({.gaussians = 4});
  const CudaSceneInputs inputs(scene);
  CudaScene device(scene, kAmple);
  CameraInputs cameras = inputs.cameras;
  ++cameras.width;
  EXPECT_EQ(RenderForwardCuda(inputs.gaussians, cameras, scene.options, nullptr, {},
                              device.workspace(), nullptr),
            KernelStatus::kInvalidArgument);
  EXPECT_EQ(RenderCudaBytes({.num_views = -1}), -1);
  EXPECT_EQ(RenderCudaBytes({.num_views = 1, .pair_capacity = kMaxPairCapacity + 1}), -1);
  const RenderCudaWorkspace forward_only = LayOutRenderWorkspace({}, nullptr);
  EXPECT_EQ(RenderBackwardCuda(inputs.gaussians, inputs.cameras, scene.options, nullptr, {}, {},
                               nullptr, forward_only, nullptr),
            KernelStatus::kInvalidArgument);
}

#ifndef GWM_CUDA_ON_CPU
TEST_F(CudaRenderTwinTest, CapturesInAGraphAndFollowsItsInputs) {
  const RasterScene scene = MakeScene({.gaussians = 300, .width = 64, .height = 64});
  RenderScratch scratch;
  CudaScene device(scene, kAmple);
  cudaStream_t stream;
  cudaGraph_t graph;
  cudaGraphExec_t replay;
  ASSERT_EQ(cudaStreamCreate(&stream), cudaSuccess);
  ASSERT_EQ(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal), cudaSuccess);
  device.Render(stream);
  ASSERT_EQ(cudaStreamEndCapture(stream, &graph), cudaSuccess);
  ASSERT_EQ(cudaGraphInstantiate(&replay, graph, 0), cudaSuccess);
  for (int time = 0; time < 2; ++time) {
    ASSERT_EQ(cudaGraphLaunch(replay, stream), cudaSuccess);
    ASSERT_EQ(cudaStreamSynchronize(stream), cudaSuccess);
    EXPECT_EQ(device.ReadImages(), Render(scene, &scratch));
  }
  EXPECT_EQ(cudaGraphExecDestroy(replay), cudaSuccess);
  EXPECT_EQ(cudaGraphDestroy(graph), cudaSuccess);
  EXPECT_EQ(cudaStreamDestroy(stream), cudaSuccess);
}
#endif

}  // namespace
}  // namespace gwm::kernels
