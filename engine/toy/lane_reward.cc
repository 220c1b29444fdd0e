#include "engine/toy/lane_reward.h"

#include <algorithm>
#include <cmath>

namespace gwm::toy {
namespace {

constexpr float kOverspeed_mps = 2.23F;
constexpr float kMaxLateral_mps2 = 4.89F, kMaxYawRate_radps = 0.95F, kMaxYaw_radps2 = 1.93F;
constexpr float kMaxJerk_mps3 = 8.37F;
constexpr int kLookAheadSteps = 10;
constexpr float kOffCentre_m = 0.5F;
constexpr float kOffCentreSteps = 30;

float Lateral_mps2(const LaneState& state) { return state.speed_mps * state.YawRate_radps(); }

float Comfort(const LaneState& before, const LaneState& after) {
  const float yaw_radps2 = (after.YawRate_radps() - before.YawRate_radps()) / kLaneDt;
  const float jerk_mps3 =
      std::hypot(after.drive_mps2 - before.drive_mps2, Lateral_mps2(after) - Lateral_mps2(before)) /
      kLaneDt;
  const int passed = static_cast<int>(std::abs(Lateral_mps2(after)) > kMaxLateral_mps2) +
                     static_cast<int>(std::abs(after.YawRate_radps()) > kMaxYawRate_radps) +
                     static_cast<int>(std::abs(yaw_radps2) > kMaxYaw_radps2) +
                     static_cast<int>(jerk_mps3 > kMaxJerk_mps3);
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
  return std::abs(std::abs(state.car.across_m) - kLaneCentre_m) > kOffCentre_m;
}

LaneFactors FactorsOf(const LaneState& before, const LaneState& after) {
  const bool inside = std::abs(after.car.across_m) + kCarWidth_m / 2 <= kRoadHalf_m;
  const float over_mps = std::max(0.0F, after.speed_mps - kSpeedLimit_mps);
  return {.lanes = inside ? 1.0F : 0.0F,
          .speed = std::max(0.0F, 1 - over_mps / kOverspeed_mps),
          .comfort = Comfort(before, after),
          .clearance = WillTouch(after) ? 0.5F : 1.0F,
          .centring = after.off_centre_steps > kOffCentreSteps ? 0.5F : 1.0F};
}

float LaneReward(const LaneState& before, const LaneState& after, bool collided) {
  const float gained_percent = 100 * (after.car.along_m - before.car.along_m) / kRoadLength_m;
  return gained_percent * FactorsOf(before, after).Product() - (collided ? kCollisionPenalty : 0);
}

}  // namespace gwm::toy
