// What every toy world does as a world.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "engine/api/toy.h"

namespace gwm {
namespace {

constexpr int64_t kPoolBytes = int64_t{1} << 20;

class ToyWorldTest : public ::testing::TestWithParam<std::string> {
 protected:
  StatePtr Start(int index) {
    auto states = world_->Reset({{.frames = {}, .pool_index = index}});
    return states.ok() ? states->front() : nullptr;
  }
  StepRow Step(const StatePtr& state, const std::vector<float>& action) {
    auto rows = world_->Step({{.state = state, .action = action, .noise = {}}}, {});
    return rows.ok() ? rows->front() : StepRow{.status = rows.status()};
  }
  std::string Bytes(const StatePtr& state) { return world_->ExportState(state)->at("state").data; }
  RenderedView Picture(const StatePtr& state) {
    return world_
        ->Render({{.state = state, .camera = world_->spec().cameras[0]}},
                 {.outputs = kRenderRgb | kRenderDepth | kRenderAlpha})
        ->front();
  }
  std::vector<float> Action(float value) {
    return std::vector<float>(static_cast<size_t>(world_->spec().action_dim), value);
  }

  std::unique_ptr<World> world_ = *OpenToyWorld(GetParam(), kPoolBytes);
};

TEST_P(ToyWorldTest, TheSameStartAndActionsGiveTheSameBits) {
  StatePtr one = Start(7), two = Start(7);
  for (int i = 0; i < 30; ++i) {
    const StepRow a = Step(one, Action(0.3F)), b = Step(two, Action(0.3F));
    ASSERT_TRUE(a.status.ok() && b.status.ok());
    EXPECT_EQ(a.reward, b.reward);
    one = a.next;
    two = b.next;
    EXPECT_EQ(Bytes(one), Bytes(two));
  }
  EXPECT_NE(Bytes(Start(7)), Bytes(Start(8)));
}

TEST_P(ToyWorldTest, ARowOfABatchHasTheBitsItHasAlone) {
  const std::vector<float> left = Action(-0.7F), right = Action(0.9F);
  const StatePtr one = Start(2), two = Start(9);
  const auto rows = world_->Step({{.state = one, .action = left, .noise = {}},
                                  {.state = two, .action = right, .noise = {.seed = 4}}},
                                 {});
  ASSERT_TRUE(rows.ok());
  const StepRow alone_left = Step(one, left), alone_right = Step(two, right);
  EXPECT_EQ(Bytes(rows->front().next), Bytes(alone_left.next));
  EXPECT_EQ(rows->front().reward, alone_left.reward);
  EXPECT_EQ(Bytes(rows->back().next), Bytes(alone_right.next));
  EXPECT_EQ(rows->back().reward, alone_right.reward);
}

TEST_P(ToyWorldTest, AStepChangesThePictureOfEveryCamera) {
  const StatePtr before = Start(6);
  StatePtr after = before;
  for (int i = 0; i < 5; ++i) after = Step(after, Action(0.8F)).next;
  // From the side: 45 degrees down onto the middle of the table.
  const float half = std::sqrt(0.5F);
  Camera side = world_->spec().cameras[0];
  side.world_from_cam = {1, 0, 0, 0, 0, -half, half, -2, 0, -half, -half, 2, 0, 0, 0, 1};
  for (const Camera& camera : {world_->spec().cameras[0], side}) {
    const auto views = world_->Render(
        {{.state = before, .camera = camera}, {.state = after, .camera = camera}}, {});
    ASSERT_TRUE(views.ok());
    EXPECT_NE(views->front().rgb.data, views->back().rgb.data);
  }
  EXPECT_NE(world_->Gaussians(before)->means.data, world_->Gaussians(after)->means.data);
}

TEST_P(ToyWorldTest, AStepLeavesTheOldStateAsItWas) {
  const StatePtr state = Start(1);
  const std::string before = Bytes(state);
  EXPECT_NE(Bytes(Step(state, Action(1)).next), before);
  EXPECT_EQ(Bytes(state), before);
}

TEST_P(ToyWorldTest, RandomRolloutsStayWithinTheBoundsThatImportTakes) {
  uint32_t bits = 1;
  for (int start = 0; start < 20; ++start) {
    StatePtr state = Start(start);
    for (int i = 0; i < 100; ++i) {
      std::vector<float> action;
      for (int a = 0; a < world_->spec().action_dim; ++a) {
        bits = bits * 1664525U + 1013904223U;
        action.push_back(static_cast<float>(bits >> 8) * 0x1p-23F - 1);
      }
      const StepRow row = Step(state, action);
      ASSERT_TRUE(row.status.ok()) << row.status;
      ASSERT_TRUE(std::isfinite(row.reward));
      ASSERT_TRUE(world_->ImportState(*world_->ExportState(row.next)).ok());
      state = row.next;
    }
  }
}

TEST_P(ToyWorldTest, StatesComeBackFromExportBitForBitAndFromLatentsNearly) {
  const StatePtr state = Step(Start(3), Action(-0.5F)).next;
  const auto imported = world_->ImportState(*world_->ExportState(state));
  ASSERT_TRUE(imported.ok());
  EXPECT_EQ(Bytes(*imported), Bytes(state));
  const LatentTokens tokens = *world_->Latents(state);
  for (float value : tokens.latents.values<float>()) EXPECT_LE(std::abs(value), 1.0001F);
  const auto again = world_->WithLatents(Start(0), tokens.latents);
  ASSERT_TRUE(again.ok());
  const auto expected = world_->ExportState(state), got = world_->ExportState(*again);
  const auto a = expected->at("state").values<float>(), b = got->at("state").values<float>();
  for (size_t i = 0; i < a.size(); ++i)
    EXPECT_NEAR(a[i], b[i], 1e-5F * std::max(1.0F, std::abs(a[i]))) << i;
}

TEST_P(ToyWorldTest, ThePictureShowsTheStateOnATableBelowTheCamera) {
  const RenderedView one = Picture(Start(0)), two = Picture(Start(1));
  EXPECT_EQ(one.rgb.shape, (std::vector<int64_t>{64, 64, 3}));
  EXPECT_NE(one.rgb.data, two.rgb.data);
  for (float depth : one.depth.values<float>()) EXPECT_NEAR(depth, 3, 0.4);
  for (float alpha : one.alpha.values<float>()) EXPECT_GT(alpha, 0.9F);
  EXPECT_EQ(world_->Gaussians(Start(0))->means.shape[0], world_->spec().gaussians);
}

TEST_P(ToyWorldTest, ASampleOfTheGaussiansCoversTheScene) {
  const StatePtr state = Start(0);
  const auto some = world_->SampleGaussians(state, 16);
  ASSERT_TRUE(some.ok()) << some.status();
  EXPECT_EQ(some->means.shape, (std::vector<int64_t>{16, 3}));
  EXPECT_EQ(some->quats.data.size(), 16U * 4 * sizeof(float));
  EXPECT_EQ(world_->SampleGaussians(state, 4)->means.data, some->means.data.substr(0, 4 * 12));
  EXPECT_FALSE(world_->SampleGaussians(state, 0).ok());
  EXPECT_FALSE(world_->SampleGaussians(state, world_->spec().gaussians + 1).ok());
}

TEST_P(ToyWorldTest, WhatCannotBeIsRefused) {
  const StatePtr state = Start(0);
  EXPECT_EQ(Step(state, Action(1.5F)).status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Step(state, Action(NAN)).status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Step(state, {}).status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(world_->Reset({{.frames = {}, .pool_index = 4096}}).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(world_->Reset({{.frames = RgbdFrames{}, .pool_index = {}}}).status().code(),
            absl::StatusCode::kUnimplemented);
  StateTensors tensors = *world_->ExportState(state);
  tensors.at("state").mutable_values<float>()[0] = 1e6F;
  EXPECT_EQ(world_->ImportState(tensors).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(world_->ImportState({}).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_P(ToyWorldTest, AFullPoolRefusesAndHasRoomAgain) {
  world_ = *OpenToyWorld(GetParam(), 2 * world_->spec().state_bytes);
  StatePtr one = Start(0), two = Start(1);
  ASSERT_NE(two, nullptr);
  EXPECT_EQ(Step(one, Action(0)).status.code(), absl::StatusCode::kResourceExhausted);
  two.reset();
  EXPECT_TRUE(Step(one, Action(0)).status.ok());
}

INSTANTIATE_TEST_SUITE_P(All, ToyWorldTest, ::testing::ValuesIn(ToyWorldNames()));

TEST(OpenToyWorld, AnUnknownNameListsWhatIsThere) {
  const auto status = OpenToyWorld("maze", kPoolBytes).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(),
            "no toy world is called 'maze'; blocks, lane-strip, push, unicycle are there");
}

}  // namespace
}  // namespace gwm
