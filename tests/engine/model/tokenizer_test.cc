#include "engine/model/tokenizer.h"

#include <gtest/gtest.h>

#include "engine/model/grid_tokenizer.h"
#include "engine/model/pixel_frame.h"
#include "engine/scene/render.h"
#include "tests/engine/model/model_builders.h"
#include "tests/fakes/toy_scenes.h"

namespace gwm {
namespace {

std::vector<torch::Tensor> TensorsOf(const Gaussians& g) {
  return {g.means, g.log_scales, g.quats, g.sh, g.opacity_logits};
}

std::vector<torch::Tensor> TensorsOf(const Anchors& anchors) {
  auto tensors = TensorsOf(anchors.reset.gaussians);
  for (const auto& x :
       {anchors.centres, anchors.latents, anchors.reset.intrinsics, anchors.reset.world_from_cam}) {
    tensors.push_back(x);
  }
  tensors.insert(tensors.end(), anchors.cache.begin(), anchors.cache.end());
  return tensors;
}

void ExpectSameBits(const std::vector<torch::Tensor>& a, const std::vector<torch::Tensor>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) EXPECT_TRUE(torch::equal(a[i], b[i])) << "tensor " << i;
}

void CopyParameters(const Tokenizer& from, Tokenizer& to) {
  torch::NoGradGuard no_grad;
  const auto source = from.named_parameters();
  for (auto& parameter : to.named_parameters()) parameter.value().copy_(source[parameter.key()]);
}

class TokenizerTest : public ::testing::TestWithParam<std::string> {
 protected:
  SceneBatch Scenes(int64_t first, int64_t count) const {
    return data_.Scenes(0, torch::arange(first, first + count), model_->config);
  }

  std::unique_ptr<WorldModel> model_ = testing::ShakenModel(GetParam());
  Dataset data_ = testing::ToyDataset(1, {.seed = 4, .frames = 6});
  torch::NoGradGuard no_grad_;
};

TEST_P(TokenizerTest, SpeaksOfTheTokensThatTheConfigNames) {
  const auto anchors = model_->tokenizer->ChooseAnchors(Scenes(0, 3));
  const std::vector<int64_t> tokens = {3, 32, 16};
  EXPECT_EQ(anchors.latents.sizes().vec(), tokens);
  EXPECT_EQ(anchors.centres.sizes().vec(), (std::vector<int64_t>{3, 32, 3}));
  const auto posterior = model_->tokenizer->Encode(Scenes(3, 3), anchors);
  EXPECT_EQ(posterior.mean.sizes().vec(), tokens);
  EXPECT_EQ(posterior.log_var.sizes().vec(), tokens);
  EXPECT_GE(posterior.log_var.min().item<float>(), -12);
  EXPECT_LE(posterior.log_var.max().item<float>(), 4);
  const auto decoded = model_->tokenizer->Decode(posterior.mean, anchors);
  EXPECT_NO_THROW(decoded.Check());
  for (const auto& x : TensorsOf(decoded)) EXPECT_TRUE(torch::isfinite(x).all().item<bool>());
}

TEST_P(TokenizerTest, RowsOfAnchorsStackToTheOriginal) {
  const auto anchors = model_->tokenizer->ChooseAnchors(Scenes(0, 3));
  const auto stacked = Anchors::Stack({anchors.Row(0), anchors.Row(1), anchors.Row(2)});
  ExpectSameBits(TensorsOf(stacked), TensorsOf(anchors));
  const auto selected = anchors.Select(torch::tensor({2, 0}, torch::kLong));
  ExpectSameBits(TensorsOf(selected), TensorsOf(Anchors::Stack({anchors.Row(2), anchors.Row(0)})));
  EXPECT_EQ(selected.reset.height, 32);
  ExpectSameBits(TensorsOf(Anchors::Stack({anchors.Row(1)})), TensorsOf(anchors.Row(1)));
}

TEST_P(TokenizerTest, AnchorsAreTheRowsOfTheirScenesAlone) {
  const auto together = model_->tokenizer->ChooseAnchors(Scenes(0, 3));
  ExpectSameBits(TensorsOf(model_->tokenizer->ChooseAnchors(Scenes(1, 1))),
                 TensorsOf(together.Row(1)));
}

TEST_P(TokenizerTest, AnchorsSurviveTheEpisodeUnchanged) {
  const auto anchors = model_->tokenizer->ChooseAnchors(Scenes(0, 1));
  const auto before = TensorsOf(anchors.Select(torch::zeros({1}, torch::kLong)));
  const auto later = model_->tokenizer->Encode(Scenes(5, 1), anchors).mean;
  model_->tokenizer->Decode(later, anchors);
  ExpectSameBits(TensorsOf(anchors), before);
  const auto again = model_->tokenizer->Encode(Scenes(0, 1), anchors).mean;
  EXPECT_LE((again - anchors.latents).abs().max().item<float>(), 1e-5);
  EXPECT_GT((later - anchors.latents).abs().max().item<float>(), 1e-4);
}

TEST_P(TokenizerTest, DecodingNeverReadsTheEncodedFrame) {
  const auto anchors = model_->tokenizer->ChooseAnchors(Scenes(0, 1));
  auto target = Scenes(4, 1);
  const auto latents = model_->tokenizer->Encode(target, anchors).mean;
  const auto before = model_->tokenizer->Decode(latents, anchors);
  for (auto x : TensorsOf(target.gaussians)) x.fill_(std::nan(""));
  ExpectSameBits(TensorsOf(model_->tokenizer->Decode(latents, anchors)), TensorsOf(before));
}

TEST_P(TokenizerTest, LatentsReachTheDecodedGaussians) {
  const auto anchors = model_->tokenizer->ChooseAnchors(Scenes(0, 1));
  const auto plain = model_->tokenizer->Decode(anchors.latents, anchors);
  const auto other = model_->tokenizer->Decode(anchors.latents + 1, anchors);
  EXPECT_GT((plain.sh - other.sh).abs().max().item<float>(), 1e-3);
}

TEST_P(TokenizerTest, FittedColoursChangeTheKeptGaussiansAlone) {
  auto config = model_->config;
  config.tokenizer.colour_passes = 1;
  const auto fitting = MakeTokenizer(config).value();
  CopyParameters(*model_->tokenizer, *fitting);
  const auto plain = model_->tokenizer->ChooseAnchors(Scenes(0, 2));
  const auto fitted = fitting->ChooseAnchors(Scenes(0, 2));
  EXPECT_TRUE(torch::equal(plain.latents, fitted.latents));
  EXPECT_TRUE(torch::equal(plain.reset.gaussians.sh, fitted.reset.gaussians.sh));
  const auto before = model_->tokenizer->Decode(plain.latents, plain);
  const auto after = fitting->Decode(fitted.latents, fitted);
  EXPECT_TRUE(torch::equal(before.means, after.means));
  EXPECT_GT((before.sh - after.sh).abs().max().item<float>(), 1e-3);
}

INSTANTIATE_TEST_SUITE_P(Kinds, TokenizerTest, ::testing::Values("grid", "set"),
                         [](const auto& info) { return info.param; });

// Where the encoder attends to all Gaussians; a subset by farthest point sampling follows the order
// on ties.
TEST(SetTokenizerTest, LatentsDoNotDependOnTheOrderOfTheInput) {
  torch::NoGradGuard no_grad;
  const auto model = testing::ShakenModel("set");
  ASSERT_EQ(model->config.tokenizer.input_gaussians, 0);
  const auto data = testing::ToyDataset(1, {.seed = 4, .frames = 3});
  const auto anchors = model->tokenizer->ChooseAnchors(
      data.Scenes(0, torch::zeros({1}, torch::kLong), model->config));
  auto scene = data.Scenes(0, torch::full({1}, 2, torch::kLong), model->config);
  const auto plain = model->tokenizer->Encode(scene, anchors);
  const auto order = torch::randperm(scene.gaussians.count(),
                                     torch::make_generator<at::CPUGeneratorImpl>(5), torch::kLong);
  scene.gaussians = scene.gaussians.Index(order);
  const auto turned = model->tokenizer->Encode(scene, anchors);
  EXPECT_LE((plain.mean - turned.mean).abs().max().item<float>(), 1e-5);
  EXPECT_LE((plain.log_var - turned.log_var).abs().max().item<float>(), 1e-5);
}

// torch::cdist by differences: its matrix product loses millimetres at six metres.
constexpr int64_t kWithoutMatmul = 2;

TEST(SetTokenizerTest, CentresAreGaussiansOfTheResetFrameFarthestFirst) {
  torch::NoGradGuard no_grad;
  const auto model = testing::ShakenModel("set");
  const auto data = testing::ToyDataset(1, {.seed = 4, .frames = 1});
  const auto scene = data.Scenes(0, torch::zeros({1}, torch::kLong), model->config);
  const auto anchors = model->tokenizer->ChooseAnchors(scene);
  EXPECT_TRUE(torch::equal(anchors.centres[0][0], scene.gaussians.means[0][0]));
  const auto nearest =
      torch::cdist(anchors.centres, scene.gaussians.means, 2, kWithoutMatmul).amin(-1);
  EXPECT_LE(nearest.max().item<float>(), 1e-5);
}

TEST(GridTokenizerTest, ShutGateKeepsTheResetFrame) {
  torch::NoGradGuard no_grad;
  const auto model = testing::ShakenModel("grid");
  const auto data = testing::ToyDataset(1, {.seed = 4, .frames = 1});
  auto* grid = dynamic_cast<GridTokenizer*>(model->tokenizer.get());
  ASSERT_NE(grid, nullptr);
  const auto pixels = data.Pixels(0, torch::zeros({1}, torch::kLong), 6);
  std::vector<torch::Tensor> skips;
  const auto reset = grid->EncodePixels(pixels, &skips);
  const auto decoded = grid->DecodePixels(reset.mean + 1, pixels, reset.mean, skips);
  const auto mixed = pixels * (1 - decoded.gate) + decoded.candidate * decoded.gate;
  EXPECT_TRUE(torch::allclose(decoded.pixels, mixed, 1e-5, 1e-5));
  EXPECT_GT(decoded.gate.min().item<float>(), 0);
  EXPECT_LT(decoded.gate.max().item<float>(), 1);
}

TEST(PixelFrameTest, PixelsComeBackFromTheirGaussians) {
  const auto data = testing::ToyDataset(1, {.seed = 6, .frames = 2});
  const auto& e = data.episodes[0];
  const auto pixels = data.Pixels(0, torch::arange(2), 6);
  EXPECT_EQ(pixels.sizes().vec(), (std::vector<int64_t>{2, 2, 4, 32, 32}));
  // Beyond the floor nothing was hit: the depth becomes far_m.
  EXPECT_NEAR(pixels.select(2, 3).min().item<float>(), 1.0 / 6, 1e-6);
  const auto scene = SceneFromPixels(pixels, e.intrinsics.expand({2, -1, -1, -1}),
                                     e.world_from_cam.expand({2, -1, -1, -1}), 0.5);
  EXPECT_LE((PixelsFromScene(scene) - pixels).abs().max().item<float>(), 1e-4);
}

double OwnViewError(const SceneBatch& scene, const torch::Tensor& pixels) {
  const Cameras cameras{scene.intrinsics, scene.world_from_cam, scene.height, scene.width};
  const auto images =
      RenderBatch(scene.gaussians, cameras, StateRenderOptions(scene.gaussians)).rgb;
  return (images.permute({0, 1, 4, 2, 3}) - pixels.slice(2, 0, 3)).square().mean().item<double>();
}

TEST(PixelFrameTest, FittedColoursRenderToTheFramesThatTheyCameFrom) {
  const auto data = testing::ToyDataset(1, {.seed = 6, .frames = 2});
  const auto& e = data.episodes[0];
  const auto pixels = data.Pixels(0, torch::arange(2), 6).narrow(1, 0, 1);
  const auto scene = SceneFromPixels(pixels, e.intrinsics.narrow(0, 0, 1).expand({2, -1, -1, -1}),
                                     e.world_from_cam.narrow(0, 0, 1).expand({2, -1, -1, -1}), 0.5);
  const auto fitted = FitToOwnViews(scene, 1);
  EXPECT_LE(OwnViewError(fitted, pixels), 0.5 * OwnViewError(scene, pixels));
  EXPECT_TRUE(torch::equal(fitted.gaussians.means, scene.gaussians.means));
  EXPECT_TRUE(torch::equal(FitToOwnViews(scene, 0).gaussians.sh, scene.gaussians.sh));
}

TEST(WorldModelTest, PaperProfileStepsOnce) {
  torch::NoGradGuard no_grad;
  const auto config = ProfileConfig("gwm-paper").value();
  const auto model = WorldModel::Create(config, 1).value();
  std::printf(
      "gwm-paper: %.1f M parameters (tokenizer %.1f M, dynamics %.1f M, reward %.2f M)\n",
      1e-6 * static_cast<double>(ParameterCount(*model->tokenizer) +
                                 ParameterCount(*model->dynamics) + ParameterCount(*model->reward)),
      1e-6 * static_cast<double>(ParameterCount(*model->tokenizer)),
      1e-6 * static_cast<double>(ParameterCount(*model->dynamics)),
      1e-6 * static_cast<double>(ParameterCount(*model->reward)));
  testing::Normals normal(2);
  const auto pixels = torch::sigmoid(normal({1, 2, 4, 128, 128})) + 0.2;
  const auto intrinsics =
      torch::tensor({{128.0F, 0.0F, 64.0F}, {0.0F, 128.0F, 64.0F}, {0.0F, 0.0F, 1.0F}});
  const auto scene = SceneFromPixels(pixels, intrinsics.expand({1, 2, -1, -1}),
                                     torch::eye(4).repeat({1, 2, 1, 1}), 0.5);
  const auto anchors = model->tokenizer->ChooseAnchors(scene);
  const auto state = model->Begin(model->Standardise(anchors.latents).unsqueeze(1),
                                  torch::zeros({1, 0, 4}), anchors.centres);
  const auto next = model->PredictNext(state, normal({1, 4}), 3, normal({1, 512, 64}));
  EXPECT_EQ(next.sizes().vec(), (std::vector<int64_t>{1, 512, 64}));
  EXPECT_TRUE(torch::isfinite(next).all().item<bool>());
  EXPECT_EQ(DecodeStandardised(*model, next, anchors).count(), 2 * 128 * 128 + 512 * 4);
}

TEST(WorldModelTest, StatisticsAndTargetsHaveInverses) {
  const auto model = testing::ShakenModel("grid");
  testing::Normals normal(3);
  model->normalizer = {normal({16}), normal({16}).abs() + 0.5, normal({16}).abs() + 0.1};
  const auto z = normal({2, 32, 16}), next = normal({2, 32, 16});
  EXPECT_TRUE(torch::allclose(model->Destandardise(model->Standardise(z)), z, 1e-5, 1e-5));
  EXPECT_TRUE(torch::allclose(model->NextOf(z, model->TargetOf(z, next)), next, 1e-5, 1e-5));
  model->config.dynamics.residual = false;
  EXPECT_TRUE(torch::equal(model->TargetOf(z, next), next));
}

TEST(WorldModelTest, VelocityIsTheLastChangeInTheScaleOfTheTarget) {
  const auto model = testing::ShakenModel("grid");
  testing::Normals normal(3);
  model->normalizer.change_std = normal({16}).abs() + 0.1;
  const auto context = normal({2, 3, 32, 16});
  const auto last_change = model->TargetOf(context.select(1, 1), context.select(1, 2));
  EXPECT_TRUE(torch::equal(model->Velocity(context), last_change));
  model->config.dynamics.context_frames = 1;
  EXPECT_EQ(model->Velocity(context.narrow(1, 1, 2)).abs().max().item<float>(), 0);
}

TEST(WorldModelTest, StatesKeepTheResetFrameAndTheNewestOthers) {
  const auto model = testing::ShakenModel("grid");
  const auto frame = [](double value) { return torch::full({1, 32, 16}, value); };
  const auto action = [](double value) { return torch::full({1, 4}, value); };
  const auto history = torch::stack({frame(1), frame(2)}, 1);
  auto state = model->Begin(history, action(0.1).unsqueeze(1), torch::zeros({1, 32, 3}));
  const auto frames = [&] { return state.context.select(3, 0).select(2, 0).flatten(); };
  const auto actions = [&] { return state.actions.select(2, 0).flatten(); };
  EXPECT_TRUE(torch::equal(frames(), torch::tensor({2.0F, 1.0F, 2.0F})));
  EXPECT_TRUE(torch::equal(actions(), torch::tensor({0.0F, 0.1F})));
  state = model->Advance(state, action(0.2), frame(3));
  state = model->Advance(state, action(0.3), frame(4));
  EXPECT_TRUE(torch::equal(frames(), torch::tensor({2.0F, 3.0F, 4.0F})));
  EXPECT_TRUE(torch::equal(actions(), torch::tensor({0.2F, 0.3F})));
  const auto single =
      model->Begin(frame(7).unsqueeze(1), torch::zeros({1, 0, 4}), torch::zeros({1, 32, 3}));
  EXPECT_TRUE(torch::equal(single.context, torch::full_like(single.context, 7)));
  EXPECT_EQ(single.actions.abs().max().item<float>(), 0);
}

TEST(WorldModelTest, RefusesConfigsThatCannotWork) {
  const auto status = [](const char* json) {
    return WorldModel::Create(OverrideConfig(testing::TinyConfig("grid"), json).value(), 1)
        .status();
  };
  EXPECT_EQ(status(R"({"dynamics": {"heads": 5}})").code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status(R"({"dynamics": {"context_frames": 0}})").code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status(R"({"diffusion": {"calls": 17}})").code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status(R"({"views": 0})").code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(status("{}").ok());
}

}  // namespace
}  // namespace gwm
