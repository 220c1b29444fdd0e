#include "kernels/raster.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/parallel.h"
#include "tests/kernels/raster_oracle.h"
#include "tests/kernels/raster_scene.h"
#include "tests/kernels/test_support.h"

namespace gwm::kernels {
namespace {

void ExpectImagesFollowOracle(const RasterScene& scene) {
  RenderScratch scratch;
  const RasterImages got = Render(scene, &scratch);
  const OracleImages want = RenderOracle(scene, OracleParameters(scene));
  EXPECT_LT(Match(got.rgb, want.rgb, 2e-5, 0).worst_excess, 1);
  EXPECT_LT(Match(got.alpha, want.alpha, 2e-5, 0).worst_excess, 1);
  for (size_t i = 0; i < got.depth.size(); ++i) {
    if (want.alpha[i] > .01) {
      EXPECT_NEAR(got.depth[i], want.depth[i], 2e-4);
    }
  }
}

// Elementwise, and as a vector: a systematic bias hides under elementwise tolerances.
void ExpectFollows(const std::vector<float>& got, const std::vector<double>& want,
                   const char* what) {
  double largest = 0;
  for (const double g : want) largest = std::max(largest, std::abs(g));
  const VectorMatch match = Match(got, want, 1e-4 * largest + 1e-7, 5e-3);
  EXPECT_LT(match.worst_excess, 1) << what << ": largest difference " << match.worst_abs;
  EXPECT_GT(match.cosine, 1 - 1e-6) << what;
  EXPECT_NEAR(match.length_ratio, 1, 1e-3) << what;
}

void ExpectGradientsFollowOracle(const RasterScene& scene) {
  RenderScratch scratch;
  const RasterImages weights = MakeWeights(scene, 77);
  const SceneGradients got = RenderGradients(scene, weights, &scratch);
  OracleParameters p(scene);
  ExpectFollows(got.means, OracleGradient(scene, weights, &p, &p.means), "means");
  ExpectFollows(got.quats, OracleGradient(scene, weights, &p, &p.quats), "quats");
  ExpectFollows(got.scales, OracleGradient(scene, weights, &p, &p.scales), "scales");
  ExpectFollows(got.opacities, OracleGradient(scene, weights, &p, &p.opacities), "opacities");
  ExpectFollows(got.colors, OracleGradient(scene, weights, &p, &p.colors), "colors");
  ExpectFollows(got.background, OracleGradient(scene, weights, &p, &p.background), "background");
}

TEST(RasterTest, ImagesFollowTheOracleForRaggedSizes) {
  const int sizes[][2] = {{1, 1}, {15, 7}, {16, 8}, {17, 9}, {33, 24}, {64, 64}, {5, 70}};
  for (const auto& size : sizes) {
    SCOPED_TRACE(testing::Message() << size[0] << "x" << size[1]);
    SceneSpec spec = {.gaussians = 150, .width = size[0], .height = size[1]};
    spec.seed = static_cast<uint64_t>(size[0] + size[1]);
    ExpectImagesFollowOracle(MakeScene(spec));
  }
}

TEST(RasterTest, ImagesFollowTheOracleForManySmallSplatsWithoutDilation) {
  SceneSpec spec = {.gaussians = 2000, .width = 64, .height = 48, .sigma_px = .5f};
  spec.options.eps2d = 0;
  ExpectImagesFollowOracle(MakeScene(spec));
}

TEST(RasterTest, GradientsFollowTheOracleWithDirectColors) {
  ExpectGradientsFollowOracle(MakeScene({.seed = 2}));
}

TEST(RasterTest, GradientsFollowTheOracleWithSphericalHarmonics) {
  ExpectGradientsFollowOracle(MakeScene({.gaussians = 8, .sh_degree = 2, .seed = 3}));
  ExpectGradientsFollowOracle(MakeScene({.gaussians = 5, .sh_degree = 4, .seed = 4}));
}

TEST(RasterTest, GradientsFollowTheOracleWithoutDilation) {
  SceneSpec spec = {.seed = 5};
  spec.options.eps2d = 0;
  ExpectGradientsFollowOracle(MakeScene(spec));
}

TEST(RasterTest, GradientsFollowTheOracleWithAntialiasing) {
  SceneSpec spec = {.sigma_px = .8f, .seed = 6};
  spec.options.antialias = Antialias::kCompensate;
  ExpectGradientsFollowOracle(MakeScene(spec));
}

TEST(RasterTest, GradientsFollowTheOracleOverScenesAndViews) {
  ExpectGradientsFollowOracle(MakeScene(
      {.scenes = 2, .gaussians = 7, .views_per_scene = 2, .width = 18, .height = 11, .seed = 7}));
}

TEST(RasterTest, GradientsFollowTheOracleWhereAlphaIsClampedAndRaysStop) {
  SceneSpec spec = {.gaussians = 40, .width = 17, .height = 9, .sigma_px = 6, .seed = 11};
  spec.options.max_alpha = .7f;
  const RasterScene scene = MakeScene(spec);
  RenderScratch scratch;
  const RasterImages images = Render(scene, &scratch);
  ASSERT_GT(*std::max_element(images.alpha.begin(), images.alpha.end()), .999f);
  ExpectGradientsFollowOracle(scene);
}

TEST(RasterTest, HasTheSameBitsAtEveryLevelAndThreadCount) {
  const RasterScene scene = MakeScene(
      {.scenes = 2, .gaussians = 600, .views_per_scene = 2, .width = 50, .height = 37, .seed = 8});
  const RasterImages weights = MakeWeights(scene, 9);
  RenderScratch scratch;
  const CpuContext plain = {.simd = SimdLevel::kScalar};
  const RasterImages images = Render(scene, &scratch, plain);
  const SceneGradients gradients = RenderGradients(scene, weights, &scratch, plain);
  ThreadPool pool(2);
  for (const SimdLevel level : SupportedSimdLevels()) {
    for (ThreadPool* threads : {static_cast<ThreadPool*>(nullptr), &pool}) {
      const CpuContext cpu = {.simd = level, .pool = threads};
      EXPECT_EQ(Render(scene, &scratch, cpu), images) << SimdLevelName(level);
      EXPECT_EQ(RenderGradients(scene, weights, &scratch, cpu), gradients) << SimdLevelName(level);
    }
  }
}

TEST(RasterTest, AViewDoesNotDependOnTheOthersInItsBatch) {
  const RasterScene both = MakeScene({.scenes = 1, .gaussians = 100, .views_per_scene = 2});
  RasterScene one = both;
  one.views_per_scene = 1;
  RenderScratch scratch;
  const RasterImages batch = Render(both, &scratch), single = Render(one, &scratch);
  EXPECT_TRUE(std::equal(single.rgb.begin(), single.rgb.end(), batch.rgb.begin()));
  EXPECT_TRUE(std::equal(single.depth.begin(), single.depth.end(), batch.depth.begin()));
}

// One camera at the origin that looks along z; n splats on its axis.
RasterScene OnAxis(int64_t n, float sigma_m) {
  RasterScene scene;
  scene.gaussians = n;
  scene.width = 16;
  scene.height = 8;
  scene.options.eps2d = 0;
  scene.viewmats = {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1};
  scene.intrinsics = {10, 0, 8.5f, 0, 10, 4.5f, 0, 0, 1};
  scene.background = {0, 0, 0};
  for (int64_t i = 0; i < n; ++i) {
    scene.means.insert(scene.means.end(), {0, 0, 1});
    scene.quats.insert(scene.quats.end(), {1, 0, 0, 0});
    scene.scales.insert(scene.scales.end(), {sigma_m, sigma_m, sigma_m});
    scene.opacities.push_back(.5f);
    scene.colors.insert(scene.colors.end(), {i == 0 ? 1.0f : 0.0f, i == 1 ? 1.0f : 0.0f, 0});
  }
  return scene;
}

constexpr int kAxisPixel = 4 * 16 + 8;

TEST(RasterTest, PutsTheLowerIndexInFrontAtEqualDepth) {
  RenderScratch scratch;
  const RasterImages images = Render(OnAxis(2, .1f), &scratch);
  EXPECT_FLOAT_EQ(images.rgb[3 * kAxisPixel], .5f);
  EXPECT_FLOAT_EQ(images.rgb[3 * kAxisPixel + 1], .25f);
  EXPECT_FLOAT_EQ(images.alpha[kAxisPixel], .75f);
  EXPECT_FLOAT_EQ(images.depth[kAxisPixel], 1);
}

TEST(RasterTest, SplatsFarBelowAPixelGiveFiniteGradientsWithoutDilation) {
  for (const float sigma_m : {1e-2f, 1e-3f, 1e-4f, 1e-6f, 1e-12f, 0.0f}) {
    RasterScene scene = OnAxis(3, sigma_m);
    RenderScratch scratch;
    const SceneGradients g = RenderGradients(scene, MakeWeights(scene, 3), &scratch);
    for (const std::vector<float>* v : {&g.means, &g.quats, &g.scales, &g.opacities, &g.colors}) {
      for (const float x : *v) EXPECT_TRUE(std::isfinite(x)) << sigma_m;
    }
  }
}

TEST(RasterTest, SkipsWhatCannotBeSeen) {
  RasterScene scene = OnAxis(4, .1f);
  scene.means = {0, 0, -1, 0, 0, .005f, 100, 0, 1, NAN, 0, 1};
  RenderScratch scratch;
  const SceneGradients g = RenderGradients(scene, MakeWeights(scene, 4), &scratch);
  EXPECT_EQ(Render(scene, &scratch).alpha, std::vector<float>(16 * 8, 0.0f));
  EXPECT_EQ(g.means, std::vector<float>(12, 0.0f));
  for (int i = 0; i < 8; ++i) EXPECT_EQ(scratch.splats().radii[i], 0);
}

TEST(RasterTest, AnEmptySceneShowsTheBackground) {
  RasterScene scene = OnAxis(0, .1f);
  scene.background = {.25f, .5f, 1};
  RenderScratch scratch;
  const RasterImages images = Render(scene, &scratch);
  EXPECT_EQ(images.rgb[3 * kAxisPixel + 1], .5f);
  EXPECT_EQ(images.depth[kAxisPixel], 0);
  const SceneGradients g = RenderGradients(scene, MakeWeights(scene, 5), &scratch);
  EXPECT_NE(g.background[0], 0);
}

TEST(RasterTest, AccumulatesIntoTheGradientsItIsGiven) {
  const RasterScene scene = MakeScene({.gaussians = 5});
  const RasterImages weights = MakeWeights(scene, 6);
  RenderScratch scratch;
  const SceneGradients once = RenderGradients(scene, weights, &scratch);
  std::vector<float> opacities(5, 1000);
  const RasterOutputGrads incoming = {weights.rgb.data(), weights.alpha.data(),
                                      weights.depth.data()};
  const GaussianGrads out = {.opacities = opacities.data()};
  ASSERT_EQ(RenderBackward(scene.gaussian_inputs(), scene.camera_inputs(), scene.options,
                           scene.background.data(), incoming, out, nullptr, &scratch),
            KernelStatus::kOk);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(opacities[i], 1000 + once.opacities[i]);
}

TEST(RasterTest, ReportsTooSmallAPairBuffer) {
  const RasterScene scene = MakeScene({.gaussians = 50});
  RenderScratch scratch;
  RasterImages images = Render(scene, &scratch);
  RasterArgs args;
  args.splats = scratch.splats();
  args.num_views = 1;
  args.num_gaussians = 50;
  args.width = scene.width;
  args.height = scene.height;
  RasterState state = scratch.state();
  state.pair_capacity = CountRasterPairs(args, state) - 1;
  const RasterOutputs out = {images.rgb.data(), images.alpha.data(), images.depth.data()};
  EXPECT_EQ(RasterForward(args, state, out), KernelStatus::kCapacityExceeded);
  ++state.pair_capacity;
  EXPECT_EQ(RasterForward(args, state, out), KernelStatus::kOk);
}

TEST(RasterTest, NeedsFarFewerPairsThanPixelsTimesSplats) {
  SceneSpec spec = {.gaussians = 4096, .width = 64, .height = 64, .sigma_px = .5f};
  spec.options.eps2d = 0;
  RenderScratch scratch;
  Render(MakeScene(spec), &scratch);
  EXPECT_LT(scratch.state().pair_capacity, 4 * 4096);
}

TEST(RasterTest, RejectsSizesOutsideItsContract) {
  RasterScene scene = OnAxis(1, .1f);
  RenderScratch scratch;
  std::vector<float> image(3 * 128);
  const RasterOutputs out = {image.data(), image.data(), image.data()};
  const auto status = [&](const RasterScene& s) {
    return RenderForward(s.gaussian_inputs(), s.camera_inputs(), s.options, nullptr, out, &scratch);
  };
  scene.sh_degree = 5;
  EXPECT_EQ(status(scene), KernelStatus::kInvalidArgument);
  scene.sh_degree = 1;
  scene.sh_coefficients = 3;
  EXPECT_EQ(status(scene), KernelStatus::kInvalidArgument);
  scene = OnAxis(1, .1f);
  scene.options.max_alpha = 1;
  EXPECT_EQ(status(scene), KernelStatus::kInvalidArgument);
  scene = OnAxis(1, .1f);
  scene.options.eps2d = -1;
  EXPECT_EQ(status(scene), KernelStatus::kInvalidArgument);
}

}  // namespace
}  // namespace gwm::kernels
