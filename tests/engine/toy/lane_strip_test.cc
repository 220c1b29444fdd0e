#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "engine/toy/lane_state.h"
#include "engine/toy/task.h"

namespace gwm::toy {
namespace {

LaneState InTheRightLane(float along_m, float speed_mps) {
  LaneState state;
  state.car = {along_m, -1.75F};
  state.speed_mps = speed_mps;
  state.parked = {{{40, 1.75F}, {70, 1.75F}}};
  return state;
}
Transition Step(const LaneState& state, float steering, float throttle) {
  return MakeLaneStripTask()->Step(state.Entries(), std::vector<float>{steering, throttle});
}
LaneState After(LaneState state, float steering, float throttle, int steps = 1) {
  for (int i = 0; i < steps; ++i) state = LaneState::From(Step(state, steering, throttle).next);
  return state;
}

TEST(LaneStrip, AStateIsItsEntries) {
  const std::vector<float> start = MakeLaneStripTask()->Start(5);
  EXPECT_EQ(LaneState::From(start).Entries(), start);
}

TEST(LaneStrip, AnActionCountsAsTheNearestOf42) {
  std::set<float> steerings, drives;
  for (int i = -1000; i <= 1000; ++i) {
    const float entry = static_cast<float>(i) / 1000;
    const LaneState after = After(InTheRightLane(0, 5), entry, entry);
    EXPECT_NEAR(after.steering, std::round(entry * 10) / 10, 0.1001F);
    EXPECT_LE(std::abs(after.steering - entry), 0.0501F);
    steerings.insert(after.steering);
    drives.insert(after.drive_mps2);
  }
  EXPECT_EQ(steerings.size(), 21U);
  EXPECT_EQ(drives.size(), 2U);
  EXPECT_EQ(After(InTheRightLane(0, 5), 0.3F, -0.01F).drive_mps2, -0.4F);
  EXPECT_EQ(After(InTheRightLane(0, 5), 0.3F, 0).drive_mps2, 0.4F);
}

TEST(LaneStrip, ThePedalsFollowByFourMetresPerSecondCubed) {
  const LaneState start = InTheRightLane(0, 4);
  // 0.4, 0.8, ..., 2, 2 m/s^2; speeds are their sums.
  const LaneState later = After(start, 0, 1, 6);
  EXPECT_NEAR(later.drive_mps2, 2, 1e-6);
  EXPECT_NEAR(later.speed_mps, 4 + 0.1 * (0.4 + 0.8 + 1.2 + 1.6 + 2 + 2), 1e-5);
  EXPECT_NEAR(After(start, 0, -1, 8).drive_mps2, -3, 1e-6);
  EXPECT_EQ(After(start, 0, -1, 40).speed_mps, 0);
  EXPECT_EQ(After(InTheRightLane(0, 11), 0, 1, 12).speed_mps, 12);
}

TEST(LaneStrip, SteeringTurnsTheBicycle) {
  LaneState state = InTheRightLane(0, 5);
  state.drive_mps2 = 2;
  const LaneState after = After(state, 0.5F, 1);
  const double heading = 0.1 * 5.2 * std::tan(0.35 * 0.5) / 2.9;
  EXPECT_NEAR(after.heading_rad, heading, 1e-6);
  EXPECT_NEAR(after.car.along_m, 0.52 * std::cos(heading), 1e-6);
  EXPECT_NEAR(after.car.across_m, -1.75 + 0.52 * std::sin(heading), 1e-6);
}

TEST(LaneStrip, TheEdgeOfTheRoadStopsAndEnds) {
  LaneState state = InTheRightLane(0, 6);
  state.heading_rad = -0.5F;
  state.car.across_m = -3.4F;
  const Transition out = Step(state, 0, 1);
  EXPECT_TRUE(out.ended);
  EXPECT_FALSE(out.success);
  EXPECT_EQ(LaneState::From(out.next).car.across_m, -3.5F);
  EXPECT_EQ(out.reward, 0);  // outside the lanes
}

TEST(LaneStrip, AParkedCarEndsAndCosts) {
  LaneState state = InTheRightLane(35.3F, 8);
  state.car.across_m = 1.75F;
  const Transition hit = Step(state, 0, 1);
  EXPECT_TRUE(hit.ended);
  EXPECT_FALSE(hit.success);
  EXPECT_LT(hit.reward, -0.5F);
  EXPECT_FALSE(Step(InTheRightLane(35.3F, 8), 0, 1).ended);
}

TEST(LaneStrip, TheFinishIsSuccess) {
  const Transition there = Step(InTheRightLane(99.5F, 8), 0, -1);
  EXPECT_TRUE(there.ended);
  EXPECT_TRUE(there.success);
  EXPECT_EQ(LaneState::From(there.next).car.along_m, 100);
  EXPECT_NEAR(there.reward, 0.5, 1e-5);
}

TEST(LaneStrip, APerfectDriveIsPaidAHundred) {
  LaneState state = InTheRightLane(0, 6);
  float sum = 0;
  Transition last;
  for (int i = 0; i < 400 && !last.ended; ++i) {
    last = Step(state, 0, state.speed_mps + 0.4F * state.drive_mps2 < 7 ? 1 : -1);
    state = LaneState::From(last.next);
    sum += last.reward;
  }
  EXPECT_TRUE(last.success);
  EXPECT_NEAR(sum, 100, 1e-3);
}

TEST(LaneStrip, TimeOffCentreIsCountedUntilTheCentreIsBack) {
  LaneState state = InTheRightLane(0, 1);
  state.car.across_m = -1.1F;
  EXPECT_EQ(After(state, 0, -1, 5).off_centre_steps, 5);
  EXPECT_EQ(After(state, 0, -1, 50).off_centre_steps, 31);
  state.off_centre_steps = 20;
  state.car.across_m = -1.7F;
  EXPECT_EQ(After(state, 0, -1).off_centre_steps, 0);
}

TEST(LaneStrip, StartsLeaveRoomBeforeAndBetweenTheParkedCars) {
  const auto task = MakeLaneStripTask();
  std::set<float> lanes;
  for (uint32_t index = 0; index < 4096; ++index) {
    const LaneState start = LaneState::From(task->Start(index));
    EXPECT_GE(start.parked[0].along_m, 30);
    EXPECT_GE(start.parked[1].along_m - start.parked[0].along_m, 20);
    EXPECT_EQ(start.car.along_m, 0);
    lanes.insert({start.parked[0].across_m, start.parked[1].across_m});
  }
  EXPECT_EQ(lanes, (std::set<float>{-1.75F, 1.75F}));
}

TEST(LaneStrip, ThePictureMovesWithTheCar) {
  const auto task = MakeLaneStripTask();
  const LaneState here = InTheRightLane(30, 5);
  LaneState on = here;
  on.car.along_m += 1;
  const auto picture = [&task](const LaneState& state) {
    return task->Draw(state.Entries()).Render(TopCamera(), {}).rgb;
  };
  const HostTensor before = picture(here), after = picture(on);
  EXPECT_NE(before.data, after.data);
  // The car is where it was: 0.65 m left of the middle, in the right lane.
  constexpr size_t kCar = 3 * (64 * 36 + 14);
  EXPECT_GT(before.values<uint8_t>()[kCar + 2], 200);
  EXPECT_EQ(before.values<uint8_t>()[kCar + 2], after.values<uint8_t>()[kCar + 2]);
  EXPECT_EQ(task->Draw(here.Entries()).size(), task->Draw(on.Entries()).size());
}

}  // namespace
}  // namespace gwm::toy
