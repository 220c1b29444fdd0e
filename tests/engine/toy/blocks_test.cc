#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "engine/toy/blocks_state.h"
#include "engine/toy/task.h"

namespace gwm::toy {
namespace {

constexpr float kFlat = 0.08F, kApart = 0.35F;
constexpr size_t kGaussiansPerBlock = 96;

// Blocks in the corners but for number 0, the target, in the middle, where the gripper is.
BlocksState Around() {
  BlocksState state;
  state.gripper_m = {0, 0, kFlat};
  state.goal_m = {0.6F, 0, kFlat};
  state.blocks[0].centre_m = {0, 0, kFlat};
  state.blocks[1].centre_m = {0.8F, 0.8F, kFlat};
  state.blocks[2].centre_m = {-0.8F, 0.8F, kFlat};
  state.blocks[3].centre_m = {-0.8F, -0.8F, kFlat};
  return state;
}
BlocksState Holding() {
  BlocksState state = Around();
  state.held = 0;
  return state;
}

std::vector<float> Action(const Vector& way, float fingers) {
  return {way[0], way[1], way[2], 0, 0, 0, 0, 0, 0, fingers};
}
Transition Step(const BlocksState& state, const std::vector<float>& action) {
  return MakeBlocksTask()->Step(state.Entries(), action);
}
BlocksState After(BlocksState state, const std::vector<float>& action, int steps = 1) {
  for (int i = 0; i < steps; ++i) state = BlocksState::From(Step(state, action).next);
  return state;
}
void ExpectNear(const Vector& got, const Vector& expected, float tolerance = 1e-6F) {
  for (size_t i = 0; i < 3; ++i) EXPECT_NEAR(got[i], expected[i], tolerance) << i;
}

TEST(Blocks, AStateIsItsEntries) {
  const auto task = MakeBlocksTask();
  const std::vector<float> start = task->Start(11);
  EXPECT_EQ(BlocksState::From(start).Entries(), start);
}

TEST(Blocks, AnOpenHandMovesAloneAndStopsAtWallsTopAndTable) {
  const BlocksState moved = After(Around(), Action({1, -0.5F, 1}, -1));
  ExpectNear(moved.gripper_m, {0.05F, -0.025F, kFlat + 0.05F});
  ExpectNear(moved.blocks[0].centre_m, {0, 0, kFlat});
  const BlocksState far = After(Around(), Action({1, -1, 1}, -1), 40);
  ExpectNear(far.gripper_m, {0.9F, -0.9F, 0.4F});
  EXPECT_EQ(After(far, Action({0, 0, -1}, -1), 40).gripper_m[2], kFlat);
}

TEST(Blocks, ClosingTakesTheNearestBlockWithinReachAndNoOther) {
  BlocksState state = Around();
  state.gripper_m = {0.1F, 0, kFlat};
  const BlocksState gripped = After(state, Action({0, 0, 0}, 1));
  EXPECT_EQ(gripped.held, 0);
  ExpectNear(gripped.gripper_m, gripped.blocks[0].centre_m);
  state.gripper_m = {0.13F, 0, kFlat};
  EXPECT_EQ(After(state, Action({0, 0, 0}, 1)).held, kNoBlock);
}

TEST(Blocks, WhatIsHeldMovesWithTheGripperAndTheOthersStay) {
  const BlocksState before = Holding();
  const BlocksState after = After(before, Action({0.4F, -1, 0.6F}, 1));
  ExpectNear(after.blocks[0].centre_m, {0.02F, -0.05F, kFlat + 0.03F});
  ExpectNear(after.gripper_m, after.blocks[0].centre_m);
  for (size_t i = 1; i < kBlocks; ++i) {
    EXPECT_EQ(after.blocks[i].centre_m, before.blocks[i].centre_m);
    EXPECT_EQ(after.blocks[i].rotation, before.blocks[i].rotation);
  }
}

TEST(Blocks, TheRotationOfAnActionIsSixDAsAnOffsetFromTheIdentity) {
  std::vector<float> action = Action({0, 0, 0}, 1);
  action[4] = -1;
  action[6] = 1;
  const BlocksState once = After(Holding(), action);
  EXPECT_NEAR(AngleBetween(once.blocks[0].rotation, FromYaw(std::atan(0.1F))), 0, 1e-6);
  const BlocksState ten = After(Holding(), action, 10);
  EXPECT_NEAR(AngleBetween(ten.blocks[0].rotation, FromYaw(10 * std::atan(0.1F))), 0, 1e-5);
}

TEST(Blocks, ATiltedBlockRestsOnItsLowestCorner) {
  const float angle = 0.5F, c = std::cos(angle), s = std::sin(angle);
  const Quaternion tilt = FromRows({c, 0, s}, {0, 1, 0});  // about y
  EXPECT_NEAR(RestHeight(tilt), 0.13F * s + kFlat * c, 1e-6);
  EXPECT_NEAR(RestHeight(FromYaw(1)), kFlat, 1e-6);
  BlocksState state = Holding();
  state.blocks[0].rotation = tilt;
  const BlocksState pressed = After(state, Action({0, 0, -1}, 1), 3);
  EXPECT_NEAR(pressed.blocks[0].centre_m[2], 0.13F * s + kFlat * c, 1e-6);
}

TEST(Blocks, ABlockThatIsLetGoDropsOntoTheTable) {
  const BlocksState lifted = After(Holding(), Action({0, 0, 1}, 1), 4);
  EXPECT_NEAR(lifted.blocks[0].centre_m[2], kFlat + 0.2F, 1e-6);
  const BlocksState dropped = After(lifted, Action({0, 0, 0}, -1));
  EXPECT_EQ(dropped.held, kNoBlock);
  ExpectNear(dropped.blocks[0].centre_m, {0, 0, kFlat});
  EXPECT_NEAR(dropped.gripper_m[2], kFlat + 0.2F, 1e-6);
}

TEST(Blocks, ABlockSlidesAlongAnotherAndStopsWhereThereIsNoWay) {
  BlocksState state = Holding();
  state.blocks[1].centre_m = {0.36F, -0.05F, kFlat};
  const BlocksState slid = After(state, Action({1, 0, 0}, 1), 20);
  const auto gap = [](const BlocksState& at) {
    return std::hypot(at.blocks[0].centre_m[0] - at.blocks[1].centre_m[0],
                      at.blocks[0].centre_m[1] - at.blocks[1].centre_m[1]);
  };
  EXPECT_GT(slid.blocks[0].centre_m[1], 0.1F);
  EXPECT_GE(gap(slid), kApart - 2e-5F);
  // Between two others and a wall.
  state.blocks[0].centre_m = state.gripper_m = {0, 0.9F, kFlat};
  state.blocks[1].centre_m = {0.35F, 0.8F, kFlat};
  state.blocks[2].centre_m = {0.35F, 0.45F, kFlat};
  const BlocksState stuck = After(state, Action({1, 0, 0}, 1), 20);
  EXPECT_GE(gap(stuck), kApart - 2e-5F);
  EXPECT_LT(stuck.blocks[0].centre_m[0], 0.35F);
}

TEST(Blocks, TheGaussiansOfWhatIsHeldAreARigidBodyThatAStepMovesExactly) {
  const auto task = MakeBlocksTask();
  std::vector<float> action = Action({0.8F, 0.3F, 1}, 1);
  action[3] = 0.4F;
  action[5] = -1;
  action[7] = 0.6F;
  action[8] = 0.5F;
  const BlocksState before = Holding(), after = After(before, action);
  const BlockPose &from = before.blocks[0], &to = after.blocks[0];
  EXPECT_GT(AngleBetween(from.rotation, to.rotation), 0.05F);
  const GaussianCloud old_cloud = task->Draw(before.Entries()).Cloud();
  const GaussianCloud new_cloud = task->Draw(after.Entries()).Cloud();
  const auto old_means = old_cloud.means.values<float>(), means = new_cloud.means.values<float>();
  for (size_t i = 0; i < kBlocks * kGaussiansPerBlock; ++i) {
    Vector expected = {old_means[3 * i], old_means[3 * i + 1], old_means[3 * i + 2]};
    if (i < kGaussiansPerBlock) {
      for (size_t axis = 0; axis < 3; ++axis) expected[axis] -= from.centre_m[axis];
      expected = Rotated(Product(to.rotation, Inverse(from.rotation)), expected);
      for (size_t axis = 0; axis < 3; ++axis) expected[axis] += to.centre_m[axis];
    }
    ExpectNear({means[3 * i], means[3 * i + 1], means[3 * i + 2]}, expected);
  }
  const auto quats = new_cloud.quats.values<float>();
  for (size_t i = 0; i < 4; ++i) EXPECT_EQ(quats[i], to.rotation[i]);
  EXPECT_EQ(old_cloud.log_scales.data, new_cloud.log_scales.data);
}

TEST(Blocks, PaysEachPartOfTheReward) {
  // The held target 0.05 m nearer, for a squared motion of 1.
  EXPECT_NEAR(Step(Holding(), Action({1, 0, 0}, 1)).reward, 10 * 0.05 - 0.01, 1e-5);
  // The open hand 0.05 m nearer to the target.
  BlocksState away = Around();
  away.gripper_m = {-0.5F, 0, kFlat};
  EXPECT_NEAR(Step(away, Action({1, 0, 0}, -1)).reward, 2 * 0.05 - 0.01, 1e-5);
  // A turn of atan(0.1) towards the goal's yaw.
  BlocksState turned = Holding();
  turned.goal_yaw_rad = 1;
  std::vector<float> turn = Action({0, 0, 0}, 1);
  turn[4] = -1;
  turn[6] = 1;
  EXPECT_NEAR(Step(turned, turn).reward, 2 * std::atan(0.1) - 0.02, 1e-5);
}

TEST(Blocks, EndsWhereTheTargetLiesAtTheGoalTurnedAsItIs) {
  BlocksState near = Holding();
  near.goal_m = {0.12F, 0, kFlat};
  const Transition there = Step(near, Action({1, 0, 0}, 1));
  EXPECT_TRUE(there.success);
  EXPECT_TRUE(there.ended);
  EXPECT_NEAR(there.reward, 10 + 10 * 0.05 - 0.01, 1e-5);
  near.goal_yaw_rad = 0.3F;
  EXPECT_FALSE(Step(near, Action({1, 0, 0}, 1)).ended);
  near.goal_yaw_rad = 0;
  near.target = 1;
  EXPECT_FALSE(Step(near, Action({1, 0, 0}, 1)).success);
}

TEST(Blocks, StartsLeaveRoomBetweenAllBlocksAndTheGoal) {
  const auto task = MakeBlocksTask();
  std::array<int, kBlocks> targets{};
  for (uint32_t index = 0; index < 4096; ++index) {
    const BlocksState start = BlocksState::From(task->Start(index));
    ++targets[start.target];
    std::vector<Vector> places = {start.goal_m};
    for (const BlockPose& block : start.blocks) places.push_back(block.centre_m);
    for (size_t i = 0; i < places.size(); ++i) {
      for (size_t j = 0; j < i; ++j) {
        ASSERT_GE(std::hypot(places[i][0] - places[j][0], places[i][1] - places[j][1]), kApart);
      }
    }
    EXPECT_EQ(start.held, kNoBlock);
  }
  EXPECT_GT(*std::ranges::min_element(targets), 900);
}

TEST(Blocks, ThePlateHasTheColourOfTheTarget) {
  const auto task = MakeBlocksTask();
  BlocksState state = Around();
  const HostTensor red = task->Draw(state.Entries()).Render(TopCamera(), {}).rgb;
  state.target = 2;
  const HostTensor blue = task->Draw(state.Entries()).Render(TopCamera(), {}).rgb;
  // The middle of the goal, 0.6 m to the right of the centre.
  constexpr size_t kPixel = 3 * (64 * 32 + 32 + 16);
  EXPECT_GT(red.values<uint8_t>()[kPixel], 200);
  EXPECT_LT(red.values<uint8_t>()[kPixel + 2], 60);
  EXPECT_LT(blue.values<uint8_t>()[kPixel], 70);
  EXPECT_GT(blue.values<uint8_t>()[kPixel + 2], 200);
}

}  // namespace
}  // namespace gwm::toy
