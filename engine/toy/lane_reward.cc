#include "engine/toy/lane_reward.h"

#include <algorithm>
#include <cmath>

namespace gwm::toy {
namespace {

// m/s, m/s^2, rad/s, rad/s^2, m/s^3, m.
constexpr float kOverspeed = 2.23F;
constexpr float kMaxLateralAcceleration = 4.89F, kMaxYawRate = 0.95F, kMaxYawAcceleration = 1.93F;
constexpr float kMaxJerk = 8.37F;
constexpr int kLookAheadSteps = 10;
constexpr float kOffCentre = 0.5F;
constexpr float kOffCentreSteps = 30;

float LateralAcceleration(const LaneState& state) { return state.speed_mps * state.YawRate(); }

float Comfort(const LaneState& before, const LaneState& after) {
  const float yaw_acceleration_radps2 = (after.YawRate() - before.YawRate()) / kLaneDt;
  const float jerk_mps3 = std::hypot(after.drive_mps2 - before.drive_mps2,
                                     LateralAcceleration(after) - LateralAcceleration(before)) /
                          kLaneDt;
  const int passed =
      static_cast<int>(std::abs(LateralAcceleration(after)) > kMaxLateralAcceleration) +
      static_cast<int>(std::abs(after.YawRate()) > kMaxYawRate) +
      static_cast<int>(std::abs(yaw_acceleration_radps2) > kMaxYawAcceleration) +
      static_cast<int>(jerk_mps3 > kMaxJerk);
  return 1 - 0.125F * static_cast<float>(passed);
}

bool WillTouch(const LaneState& state) {
  for (int step = 1; step <= kLookAheadSteps; ++step) {
    const float way_m = state.speed_mps * kLaneDt * static_cast<float>(step);
    if (TouchesParked(state, {state.car.along_m + way_m * std::cos(state.heading_rad),
                              state.car.across_m + way_m * std::sin(state.heading_rad)})) {
      return true;
    }
  }
  return false;
}

}  // namespace

bool IsOffCentre(const LaneState& state) {
  return std::abs(std::abs(state.car.across_m) - kLaneCentre) > kOffCentre;
}

LaneFactors FactorsOf(const LaneState& before, const LaneState& after) {
  const bool inside = std::abs(after.car.across_m) + kCarWidth / 2 <= kRoadHalf;
  const float over_mps = std::max(0.0F, after.speed_mps - kSpeedLimit);
  return {.lanes = inside ? 1.0F : 0.0F,
          .speed = std::max(0.0F, 1 - over_mps / kOverspeed),
          .comfort = Comfort(before, after),
          .clearance = WillTouch(after) ? 0.5F : 1.0F,
          .centring = after.off_centre_steps > kOffCentreSteps ? 0.5F : 1.0F};
}

float LaneReward(const LaneState& before, const LaneState& after, bool collided) {
  const float gained_percent = 100 * (after.car.along_m - before.car.along_m) / kRoadLength;
  return gained_percent * FactorsOf(before, after).Product() - (collided ? kCollisionPenalty : 0);
}

}  // namespace gwm::toy
