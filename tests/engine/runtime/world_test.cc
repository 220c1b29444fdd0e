#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "tests/engine/runtime/model_world_fixture.h"

namespace gwm {
namespace {

using io::ExpectStatus;
using testing::OwnedFrames;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

using testing::ModelWorldTest;

TEST_P(ModelWorldTest, SpecSaysWhatTheCheckpointIs) {
  auto world = Open();
  const auto& spec = world->spec();
  EXPECT_EQ(spec.model_id, "gwm-tiny");
  EXPECT_EQ(spec.checkpoint_digest.size(), 64U);
  EXPECT_EQ(spec.action_dim, 4);
  EXPECT_EQ(spec.tokens, 32);
  EXPECT_EQ(spec.latent_dim, 16);
  EXPECT_EQ(spec.feature_dim, 64);
  EXPECT_EQ(spec.views, 2);
  EXPECT_EQ(spec.gaussians, GetParam() == "grid" ? 2048 : 2048 + 32 * 16);
  EXPECT_GE(spec.pool_states, 2);
  EXPECT_EQ(spec.reset_pool_size, 0);
}

TEST_P(ModelWorldTest, SameSeedAndActionsGiveTheSameBits) {
  auto world = Open();
  const auto first = Play(*world, {1, 2}, 3);
  auto again = Open();
  EXPECT_EQ(first, Play(*again, {1, 2}, 3));
  EXPECT_NE(first[0].latents, Play(*world, {1, 2}, 3, 10)[0].latents);
  EXPECT_NE(first[0].latents, first[1].latents);
}

TEST_P(ModelWorldTest, EveryStepTellsTheErrorToExpectOfAStateOfItsAge) {
  auto world = Open();
  const auto state = ResetTo(*world, {1})[0];
  const auto expected = [&](uint32_t step) {
    const auto action = Action(1, 0);
    const auto row =
        world->Step({{.state = state, .action = action, .noise = {.seed = 3, .step = step}}}, {});
    EXPECT_TRUE(row.ok()) << row.status();
    return (*row)[0].expected_error.value();
  };
  EXPECT_TRUE(world->spec().tells_expected_error);
  EXPECT_GT(expected(0), 0);
  EXPECT_TRUE(std::isfinite(expected(0)));
  // The head knows the age of a rollout from the noise key's step.
  EXPECT_NE(expected(0), expected(30));
}

TEST_P(ModelWorldTest, TheAgeOfAStateMayStartAnewWithinAnEpisode) {
  auto world = Open();
  const auto state = ResetTo(*world, {1})[0];
  const auto expected = [&](std::optional<uint32_t> age) {
    const auto action = Action(1, 0);
    const auto row = world->Step(
        {{.state = state, .action = action, .noise = {.seed = 3, .step = 30}, .age = age}}, {});
    EXPECT_TRUE(row.ok()) << row.status();
    return (*row)[0].expected_error.value();
  };
  EXPECT_EQ(expected(30), expected(std::nullopt));
  EXPECT_NE(expected(0), expected(std::nullopt));
}

TEST_P(ModelWorldTest, ComparesAStateWithARealFrame) {
  auto world = Open();
  const OwnedFrames frames(1, 4), others(2, 4);
  const auto states = world->Reset({{.frames = frames.view(), .pool_index = {}}});
  ASSERT_TRUE(states.ok()) << states.status();
  const auto same = world->Compare((*states)[0], frames.view());
  ASSERT_TRUE(same.ok()) << same.status();
  // The state holds the very latents that the frame is encoded to.
  EXPECT_LT(same->latent_error, 1e-8F);
  const auto other = world->Compare((*states)[0], others.view());
  ASSERT_TRUE(other.ok()) << other.status();
  EXPECT_GT(other->latent_error, same->latent_error);
  EXPECT_GT(other->image_error, same->image_error);
  const auto row = StepOnce(*world, (*states)[0], Action(1, 0));
  ASSERT_TRUE(row.ok());
  const auto next = world->Compare((*row)[0].next, frames.view());
  ASSERT_TRUE(next.ok()) << next.status();
  const double sigma =
      testing::TinyConfig(GetParam()).diffusion.sigma_data;  // deviation of the latents
  const auto before = world->Latents((*states)[0]).value(),
             after = world->Latents((*row)[0].next).value();
  double sum = 0;
  const auto a = before.latents.values<float>(), b = after.latents.values<float>();
  for (size_t i = 0; i < a.size(); ++i) sum += std::pow((a[i] - b[i]) / sigma, 2);
  EXPECT_NEAR(next->latent_error, sum / static_cast<double>(a.size()), 1e-4);
  EXPECT_EQ(world->Compare(nullptr, frames.view()).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_P(ModelWorldTest, AnExportedStateGoesOnBitForBitInAnotherWorld) {
  auto world = Open();
  // Several frames: the anchors must follow from the newest one alone.
  const OwnedFrames frames(1, 4);
  auto states = world->Reset({{.frames = frames.view(), .pool_index = {}}});
  ASSERT_TRUE(states.ok()) << states.status();
  const auto first = StepOnce(*world, (*states)[0], Action(1, 0));
  ASSERT_TRUE(first.ok());
  const auto tensors = world->ExportState((*first)[0].next);
  ASSERT_TRUE(tensors.ok()) << tensors.status();
  auto other = Open();
  const auto imported = other->ImportState(*tensors);
  ASSERT_TRUE(imported.ok()) << imported.status();
  const auto expected = StepOnce(*world, (*first)[0].next, Action(1, 1));
  const auto actual = StepOnce(*other, *imported, Action(1, 1));
  EXPECT_EQ(Show(*world, (*expected)[0]), Show(*other, (*actual)[0]));
  const auto again = other->ExportState(*imported).value();
  for (const auto& [name, tensor] : *tensors) EXPECT_EQ(again.at(name).data, tensor.data) << name;
}

TEST_P(ModelWorldTest, RefusesStatesThatAreNotWhole) {
  auto world = Open();
  const auto state = ResetTo(*world, {1})[0];
  const auto whole = world->ExportState(state).value();
  for (const auto& [name, tensor] : whole) {
    auto tensors = whole;
    tensors.erase(name);
    ExpectStatus(world->ImportState(tensors).status(), kInvalid, {"state"});
    tensors = whole;
    tensors[name].shape.insert(tensors[name].shape.begin(), 1);
    ExpectStatus(world->ImportState(tensors).status(), kInvalid, {"expected"});
  }
  auto tensors = whole;
  tensors["more"] = whole.at("row");
  ExpectStatus(world->ImportState(tensors).status(), kInvalid, {"state"});
  tensors = whole;
  tensors["row"].mutable_values<float>()[0] = std::nanf("");
  ExpectStatus(world->ImportState(tensors).status(), kInvalid, {"finite"});
  tensors = whole;
  for (char& byte : tensors["depth_mm"].data) byte = static_cast<char>(byte ^ 1);
  tensors["row"].mutable_values<float>().back() += 1;
  ExpectStatus(world->ImportState(tensors).status(), absl::StatusCode::kFailedPrecondition,
               {"anchors"});
}

TEST_P(ModelWorldTest, RowIsTheSameBitsAloneAndInABatchOfEight) {
  auto world = Open();
  const auto together = Play(*world, {1, 2, 3, 4, 5, 6, 7, 8}, 2);
  for (uint64_t row : {1, 5, 8}) {
    const auto alone = Play(*world, {row}, 2);
    EXPECT_EQ(alone[0].latents, together[row - 1].latents) << "row " << row;
    EXPECT_EQ(alone[0], together[row - 1]) << "row " << row;
  }
  const auto three = Play(*world, {4, 8, 2}, 2);
  EXPECT_EQ(three[1], together[7]);
}

// Beyond a vector register's width other code paths compute the figures of a row.
TEST_P(ModelWorldTest, RowIsTheSameBitsAloneAndInABatchOfSeventy) {
  auto world = Open();
  const auto state = ResetTo(*world, {1})[0];
  std::vector<std::vector<float>> actions;
  for (uint64_t row = 0; row < 70; ++row) actions.push_back(Action(row, row / 11));
  std::vector<StepRequest> rows;
  for (uint32_t row = 0; row < 70; ++row) {
    rows.push_back({.state = state, .action = actions[row], .noise = {.seed = 3, .env = row}});
  }
  const auto together = world->Step(rows, {});
  ASSERT_TRUE(together.ok()) << together.status();
  for (size_t row : {size_t{0}, size_t{31}, size_t{40}, size_t{63}, size_t{69}}) {
    const auto alone = world->Step({rows[row]}, {});
    const auto& expected = (*together)[row];
    EXPECT_EQ((*alone)[0].reward, expected.reward) << "row " << row;
    EXPECT_EQ((*alone)[0].success_probability, expected.success_probability) << "row " << row;
    EXPECT_TRUE(world->Latents((*alone)[0].next)->latents.data ==
                world->Latents(expected.next)->latents.data)
        << "row " << row;
  }
}

TEST_P(ModelWorldTest, StepsLeaveTheOldStateAsItWas) {
  auto world = Open();
  const auto state = ResetTo(*world, {1})[0];
  const auto before = world->Latents(state)->latents.data;
  const auto centres = world->Latents(state)->centres.data;
  const auto one = StepOnce(*world, state, {1, 0, 0, 0});
  ASSERT_TRUE(one.ok()) << one.status();
  EXPECT_EQ(world->Latents(state)->latents.data, before);
  const auto other = StepOnce(*world, state, {-1, 0, 0, 0}),
             same = StepOnce(*world, state, {1, 0, 0, 0});
  EXPECT_EQ(world->Latents((*same)[0].next)->latents.data,
            world->Latents((*one)[0].next)->latents.data);
  EXPECT_NE(world->Latents((*other)[0].next)->latents.data,
            world->Latents((*one)[0].next)->latents.data);
  EXPECT_EQ(world->Latents((*one)[0].next)->centres.data, centres);
}

TEST_P(ModelWorldTest, BadStepsAreRefusedAndNameTheReason) {
  auto world = Open();
  const auto state = ResetTo(*world, {1})[0];
  ExpectStatus(StepOnce(*world, state, {0, 0, 0}).status(), kInvalid,
               {"action of row 0", "4 numbers"});
  ExpectStatus(StepOnce(*world, state, {0, 1.01F, 0, 0}).status(), kInvalid,
               {"action of row 0", "-1 to 1"});
  ExpectStatus(StepOnce(*world, state, {0, std::nanf(""), 0, 0}).status(), kInvalid,
               {"action of row 0"});
  ExpectStatus(StepOnce(*world, nullptr, {0, 0, 0, 0}).status(), kInvalid, {"row 0 has no state"});
  ExpectStatus(StepOnce(*world, state, {0, 0, 0, 0}, 17).status(), kInvalid,
               {"sampler_calls is 17", "1 to 16"});
  ExpectStatus(StepOnce(*world, state, {0, 0, 0, 0}, -1).status(), kInvalid,
               {"sampler_calls is -1"});
  const auto good = StepOnce(*world, state, {0, 0, 0, 0}, 16);
  ASSERT_TRUE(good.ok()) << good.status();
  EXPECT_TRUE((*good)[0].status.ok());
}

TEST_P(ModelWorldTest, FullPoolIsAnErrorThatChangesNothingAndSlotsComeBack) {
  auto world = Open(3);
  ASSERT_EQ(world->spec().pool_states, 3);
  auto states = ResetTo(*world, {1, 2});
  const std::vector<float> action = {0, 0, 0, 0};
  const auto before = world->Latents(states[0])->latents.data;
  const auto both = [&] {  // a request holds its states, so it must not outlive the call
    return std::vector<StepRequest>{{.state = states[0], .action = action},
                                    {.state = states[1], .action = action}};
  };
  EXPECT_EQ(world->Step(both(), {}).status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(world->Latents(states[0])->latents.data, before);
  for (int i = 0; i < 5; ++i) {
    const auto step = StepOnce(*world, states[0], action);
    ASSERT_TRUE(step.ok()) << step.status();
    states[0] = (*step)[0].next;
  }
  const OwnedFrames two(3), three(4);
  ExpectStatus(world
                   ->Reset({{.frames = two.view(), .pool_index = {}},
                            {.frames = three.view(), .pool_index = {}}})
                   .status(),
               absl::StatusCode::kResourceExhausted, {"slots"});
  EXPECT_TRUE(StepOnce(*world, states[0], action).ok());
  states.clear();
  EXPECT_EQ(ResetTo(*world, {1, 2, 3}).size(), 3U);
}

TEST_P(ModelWorldTest, StatesMayOutliveTheWorld) {
  auto world = Open();
  auto states = ResetTo(*world, {1});
  world.reset();
  states.clear();
  EXPECT_TRUE(states.empty());
}

TEST_P(ModelWorldTest, LatentsMakeAStateThatHoldsThem) {
  auto world = Open();
  const auto state = ResetTo(*world, {1})[0];
  auto tokens = world->Latents(state).value();
  const auto same = world->WithLatents(state, tokens.latents);
  ASSERT_TRUE(same.ok()) << same.status();
  EXPECT_EQ(world->Latents(*same)->latents.data, tokens.latents.data);
  EXPECT_EQ(world->Gaussians(*same)->means.data, world->Gaussians(state)->means.data);
  for (float& x : tokens.latents.mutable_values<float>()) x += 1;
  const auto moved = world->WithLatents(state, tokens.latents);
  EXPECT_EQ(world->Latents(*moved)->latents.data, tokens.latents.data);
  EXPECT_NE(world->Gaussians(*moved)->sh.data, world->Gaussians(state)->sh.data);
  EXPECT_TRUE(StepOnce(*world, *moved, {0, 0, 0, 0}).ok());
  tokens.latents.mutable_values<float>()[0] = INFINITY;
  ExpectStatus(world->WithLatents(state, tokens.latents).status(), kInvalid, {"finite"});
  tokens.latents.shape = {16, 32};
  ExpectStatus(world->WithLatents(state, tokens.latents).status(), kInvalid, {"[32, 16]"});
  ExpectStatus(world->WithLatents(nullptr, tokens.latents).status(), kInvalid, {"no state"});
}

TEST_P(ModelWorldTest, FeaturesAreAFunctionOfTheStateAlone) {
  auto world = Open();
  const auto states = ResetTo(*world, {1, 2});
  const auto both = world->Features(states);
  ASSERT_TRUE(both.ok()) << both.status();
  EXPECT_EQ((*both)[0].shape, (std::vector<int64_t>{32, 64}));
  EXPECT_EQ(world->Features({states[1]}).value()[0].data, (*both)[1].data);
  EXPECT_NE((*both)[0].data, (*both)[1].data);
  ASSERT_TRUE(StepOnce(*world, states[0], {1, 1, 1, 1}).ok());
  EXPECT_EQ(world->Features({states[0]}).value()[0].data, (*both)[0].data);
}

TEST_P(ModelWorldTest, FeaturesAreTheSameBitsInABatchOfAnySize) {
  auto world = Open();
  const auto states = ResetTo(*world, {1, 2, 3, 4, 5});
  const auto together = world->Features(states);
  ASSERT_TRUE(together.ok()) << together.status();
  for (size_t i = 0; i < states.size(); ++i) {
    EXPECT_EQ(world->Features({states[i]}).value()[0].data, (*together)[i].data) << i;
    const auto pair = world->Features({states[0], states[i]});
    EXPECT_EQ(pair.value()[1].data, (*together)[i].data) << i;
  }
}

TEST_P(ModelWorldTest, SampledGaussiansAreTheFarthestOfThemAll) {
  auto world = Open();
  const auto state = ResetTo(*world, {1})[0];
  const GaussianCloud all = world->Gaussians(state).value();
  const GaussianCloud some = world->SampleGaussians(state, 64).value();
  EXPECT_EQ(some.means.shape, (std::vector<int64_t>{64, 3}));
  EXPECT_EQ(some.sh.shape[0], 64);
  EXPECT_EQ(some.opacity_logits.shape, (std::vector<int64_t>{64}));
  // From the first one on, and each sample begins with the smaller ones.
  EXPECT_EQ(some.means.data.substr(0, 12), all.means.data.substr(0, 12));
  EXPECT_EQ(world->SampleGaussians(state, 8).value().means.data, some.means.data.substr(0, 8 * 12));
  // The second one is the farthest from the first.
  const auto points = all.means.values<float>();
  const auto distance = [&](std::span<const float> p, size_t k) {
    return std::hypot(p[k] - points[0], p[k + 1] - points[1], p[k + 2] - points[2]);
  };
  float farthest = 0;
  for (size_t k = 0; k < points.size(); k += 3) farthest = std::max(farthest, distance(points, k));
  EXPECT_FLOAT_EQ(distance(some.means.values<float>(), 3), farthest);
  ExpectStatus(world->SampleGaussians(state, 0).status(), kInvalid, {"count is 0"});
  ExpectStatus(world->SampleGaussians(state, world->spec().gaussians + 1).status(), kInvalid,
               {"allowed are 1 to"});
}

TEST_P(ModelWorldTest, RendersBytesThatAreTheRoundedFloats) {
  auto world = Open();
  const auto state = ResetTo(*world, {1})[0];
  Camera camera = world->Cameras(state).value()[0];
  camera.width = 20;
  camera.height = 24;
  const auto render = [&](uint32_t outputs, DType dtype) {
    auto views = world->Render({{.state = state, .camera = camera}},
                               {.outputs = outputs, .rgb_dtype = dtype});
    EXPECT_TRUE(views.ok()) << views.status();
    return std::move(views.value()[0]);
  };
  const auto bytes = render(kRenderRgb, DType::kU8),
             floats = render(kRenderRgb | kRenderDepth | kRenderAlpha, DType::kF32);
  EXPECT_EQ(bytes.rgb.shape, (std::vector<int64_t>{24, 20, 3}));
  EXPECT_EQ(bytes.rgb.dtype, DType::kU8);
  EXPECT_TRUE(bytes.depth.data.empty());
  EXPECT_EQ(floats.depth.shape, (std::vector<int64_t>{24, 20}));
  EXPECT_EQ(floats.alpha.shape, (std::vector<int64_t>{24, 20}));
  const auto u8 = bytes.rgb.values<uint8_t>();
  const auto f32 = floats.rgb.values<float>();
  for (size_t i = 0; i < u8.size(); ++i) {
    ASSERT_GE(f32[i], 0);
    ASSERT_LE(f32[i], 1);
    ASSERT_NEAR(u8[i], 255 * f32[i], 0.5 + 1e-3);
  }
}

TEST_P(ModelWorldTest, CamerasAreThoseOfTheResetFrames) {
  auto world = Open();
  const OwnedFrames frames(1);
  const auto cameras = world->Cameras(ResetTo(*world, {1})[0]).value();
  ASSERT_EQ(cameras.size(), 2U);
  for (size_t v = 0; v < 2; ++v) {
    EXPECT_EQ(cameras[v].width, 32);
    EXPECT_EQ(cameras[v].height, 32);
    EXPECT_EQ(
        0, std::memcmp(cameras[v].intrinsics.data(), frames.intrinsics.data.data() + v * 36, 36));
    EXPECT_EQ(0, std::memcmp(cameras[v].world_from_cam.data(),
                             frames.world_from_cam.data.data() + v * 64, 64));
  }
}

TEST_P(ModelWorldTest, BadCamerasAreRefused) {
  auto world = Open();
  const auto state = ResetTo(*world, {1})[0];
  Camera camera = world->Cameras(state).value()[0];
  camera.width = 0;
  EXPECT_EQ(world->Render({{.state = state, .camera = camera}}, {}).status().code(), kInvalid);
  EXPECT_EQ(world->Render({{.state = nullptr, .camera = camera}}, {}).status().code(), kInvalid);
}

INSTANTIATE_TEST_SUITE_P(Kinds, ModelWorldTest, ::testing::Values("grid", "set"),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace gwm
