#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <functional>

#include "tests/engine/runtime/model_world_fixture.h"

namespace gwm {
namespace {

using io::ExpectStatus;
using testing::OwnedFrames;
using testing::Shown;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

using WorldResetTest = testing::ModelWorldTest;

TEST_P(WorldResetTest, BadFramesAreRefusedAndNameTheField) {
  auto world = Open();
  const auto expect = [&](const std::function<void(OwnedFrames&)>& change,
                          std::initializer_list<const char*> parts) {
    OwnedFrames frames(1);
    change(frames);
    ExpectStatus(ResetStatus(*world, frames), kInvalid, parts);
  };
  expect([](auto& f) { f.rgb.dtype = DType::kI8; }, {"frames.rgb", "u8 [2, 2, 32, 32, 3]"});
  expect([](auto& f) { f.rgb.shape = {2, 2, 32, 96, 1}; }, {"frames.rgb is u8 [2, 2, 32, 96, 1]"});
  expect([](auto& f) { f.rgb.shape = {}; }, {"frames.rgb"});
  expect([](auto& f) { f.depth_mm.shape = {2, 2, 1024}; }, {"frames.depth_mm"});
  expect([](auto& f) { f.depth_mm.dtype = DType::kF16; }, {"frames.depth_mm is f16"});
  expect([](auto& f) { f.intrinsics.shape = {2, 9}; }, {"frames.intrinsics"});
  expect([](auto& f) { f.intrinsics.template mutable_values<float>()[0] = 0; },
         {"frames.intrinsics", "focal"});
  expect([](auto& f) { f.intrinsics.template mutable_values<float>()[2] = INFINITY; },
         {"frames.intrinsics", "finite"});
  expect([](auto& f) { f.world_from_cam.template mutable_values<float>()[3] = std::nanf(""); },
         {"frames.world_from_cam", "finite"});
  expect([](auto& f) { f.world_from_cam.template mutable_values<float>()[0] *= 2; },
         {"frames.world_from_cam", "rigid"});
  expect([](auto& f) { f.world_from_cam.template mutable_values<float>()[12] = 1; },
         {"frames.world_from_cam", "rigid"});
  expect([](auto& f) { f.actions.shape = {2, 2}; }, {"frames.actions"});
  expect([](auto& f) { f.actions.template mutable_values<float>()[0] = std::nanf(""); },
         {"frames.actions"});
  expect([](auto& f) { f.actions.template mutable_values<float>()[0] = 1.5F; },
         {"frames.actions", "1.5"});
  EXPECT_TRUE(ResetStatus(*world, OwnedFrames(1)).ok());
}

TEST_P(WorldResetTest, MirroredPosesAreRefused) {
  auto world = Open();
  OwnedFrames frames(1);
  for (size_t i : {0, 4, 8}) frames.world_from_cam.mutable_values<float>()[i] *= -1;
  ExpectStatus(ResetStatus(*world, frames), kInvalid, {"frames.world_from_cam", "rigid"});
}

TEST_P(WorldResetTest, HistoryBeyondTheContextAndMissingDepthAreFine) {
  auto world = Open();
  OwnedFrames one(1, 1), many(1, 6), blind(1);
  EXPECT_TRUE(ResetStatus(*world, one).ok());
  EXPECT_TRUE(ResetStatus(*world, many).ok());
  blind.depth_mm = HostTensor::Zeros(DType::kU16, blind.depth_mm.shape);
  EXPECT_TRUE(ResetStatus(*world, blind).ok());
  auto frames = one.view();
  frames.actions.reset();
  EXPECT_TRUE(world->Reset({{.frames = frames, .pool_index = {}}}).ok());
}

TEST_P(WorldResetTest, ActionsCountFurtherBackThanFrames) {
  const auto world = Open();
  ASSERT_EQ(world->spec().context_frames, 3);
  testing::OwnedFrames frames(4, 3);
  const auto stepped = [&] {
    auto state = world->Reset({{.frames = frames.view()}});
    EXPECT_TRUE(state.ok()) << state.status();
    return Show(*world, StepOnce(*world, (*state)[0], {0, 0, 0, 0}).value()[0]);
  };
  const Shown plain = stepped();
  // The oldest of three frames is not looked at by a model that sees two.
  frames.rgb.data[0] = static_cast<char>(frames.rgb.data[0] ^ 0x40);
  EXPECT_EQ(stepped(), plain);
  const float other = 0.77F;
  std::memcpy(frames.actions.data.data(), &other, sizeof other);
  EXPECT_FALSE(stepped() == plain);
}

TEST_P(WorldResetTest, ResetTakesFramesOrAPoolEntryNotBothNorNone) {
  auto world = Open(0, /*with_pool=*/true);
  EXPECT_EQ(world->spec().reset_pool_size, 3);
  ASSERT_EQ(world->spec().cameras.size(), 2U);
  const OwnedFrames frames(50, 2);
  const auto status = [&](const ResetRequest& row) { return world->Reset({row}).status(); };
  ExpectStatus(status({}), kInvalid, {"either"});
  ExpectStatus(status({.frames = frames.view(), .pool_index = 0}), kInvalid, {"either"});
  ExpectStatus(status({.frames = {}, .pool_index = 3}), kInvalid, {"pool entry 3", "0 to 2"});
  ExpectStatus(status({.frames = {}, .pool_index = -1}), kInvalid, {"pool entry -1"});
  const auto states =
      world->Reset({{.frames = {}, .pool_index = 0}, {.frames = frames.view(), .pool_index = {}}});
  ASSERT_TRUE(states.ok()) << states.status();
  EXPECT_EQ(world->Latents((*states)[0])->latents.data, world->Latents((*states)[1])->latents.data);
  EXPECT_EQ(world->Cameras((*states)[0]).value()[1].world_from_cam,
            world->spec().cameras[1].world_from_cam);
}

INSTANTIATE_TEST_SUITE_P(Kinds, WorldResetTest, ::testing::Values("grid", "set"),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace gwm
