#include "engine/toy/lane_reward.h"

#include <gtest/gtest.h>

#include <cmath>

namespace gwm::toy {
namespace {

// In the middle of the right lane at 8 m/s, far from the parked cars.
LaneState Cruising() {
  LaneState state;
  state.car = {10, -1.75F};
  state.speed_mps = 8;
  state.parked = {{{60, -1.75F}, {80, 1.75F}}};
  return state;
}

TEST(LaneReward, NothingToBlameIsPaidTheWayInPerCent) {
  const LaneState before = Cruising();
  LaneState after = before;
  after.car.along_m += 0.8F;
  EXPECT_EQ(FactorsOf(before, after).Product(), 1);
  EXPECT_NEAR(LaneReward(before, after, false), 0.8, 1e-5);
  EXPECT_NEAR(LaneReward(before, after, true), -0.2, 1e-5);
}

TEST(LaneReward, SpeedOverTheLimitFallsToNothingAt2Point23) {
  LaneState state = Cruising();
  state.speed_mps = 8 + 1.115F;
  EXPECT_NEAR(FactorsOf(state, state).speed, 0.5, 1e-6);
  state.speed_mps = 8 + 3;
  EXPECT_EQ(FactorsOf(state, state).speed, 0);
  state.speed_mps = 3;
  EXPECT_EQ(FactorsOf(state, state).speed, 1);
}

TEST(LaneReward, APartOfTheCarBeyondTheEdgePaysNothing) {
  LaneState state = Cruising();
  state.car.across_m = -2.54F;
  EXPECT_EQ(FactorsOf(state, state).lanes, 1);
  state.car.across_m = -2.56F;
  EXPECT_EQ(FactorsOf(state, state).lanes, 0);
  EXPECT_EQ(FactorsOf(state, state).Product(), 0);
}

TEST(LaneReward, EachComfortLimitPassedTakesAnEighth) {
  LaneState before = Cruising(), after = before;
  after.steering = 0.1F;  // 0.77 m/s^2 within a step: jerk 7.7 m/s^3
  EXPECT_EQ(FactorsOf(before, after).comfort, 1);
  after.steering = 0.15F;  // jerk 11.6 m/s^3
  EXPECT_EQ(FactorsOf(before, after).comfort, 0.875F);
  after.steering = 0.25F;  // and yaw acceleration 2.4 rad/s^2
  EXPECT_EQ(FactorsOf(before, after).comfort, 0.75F);
  after.steering = 0.7F;  // and lateral acceleration 5.5 m/s^2
  EXPECT_EQ(FactorsOf(before, after).comfort, 0.625F);
  after.steering = 1;  // and yaw rate 1.01 rad/s
  EXPECT_EQ(FactorsOf(before, after).comfort, 0.5F);
  before = after;  // all kept up: the limits on changes are not passed
  EXPECT_EQ(FactorsOf(before, after).comfort, 0.75F);
}

TEST(LaneReward, AParkedCarWithinASecondHalves) {
  LaneState state = Cruising();
  state.car.along_m = 60 - 4.5F - 8.1F;
  EXPECT_EQ(FactorsOf(state, state).clearance, 1);
  state.car.along_m += 0.2F;
  EXPECT_EQ(FactorsOf(state, state).clearance, 0.5F);
  state.car.across_m = 1.75F;
  EXPECT_EQ(FactorsOf(state, state).clearance, 1);
}

TEST(LaneReward, MoreThanThreeSecondsOffCentreHalves) {
  LaneState state = Cruising();
  EXPECT_FALSE(IsOffCentre(state));
  state.car.across_m = -1.2F;
  EXPECT_TRUE(IsOffCentre(state));
  state.off_centre_steps = 30;
  EXPECT_EQ(FactorsOf(state, state).centring, 1);
  state.off_centre_steps = 31;
  EXPECT_EQ(FactorsOf(state, state).centring, 0.5F);
}

TEST(LaneReward, FactorsMultiply) {
  const LaneFactors factors = {
      .lanes = 1, .speed = 0.5F, .comfort = 0.75F, .clearance = 0.5F, .centring = 0.5F};
  EXPECT_EQ(factors.Product(), 0.09375F);
}

}  // namespace
}  // namespace gwm::toy
