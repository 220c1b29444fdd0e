// Reward of the lane strip: progress times soft penalties, less a penalty for a collision (CaRL,
// arXiv 2504.17838; autonomousvision/CaRL: CARLA/.../simple_reward.py).
#ifndef GWM_ENGINE_TOY_LANE_REWARD_H_
#define GWM_ENGINE_TOY_LANE_REWARD_H_

#include "engine/toy/lane_state.h"

namespace gwm::toy {

inline constexpr float kSpeedLimit = 8;  // m/s
inline constexpr float kMostOffCentreSteps = 31;
inline constexpr float kCollisionPenalty = 1;

// Each in [0, 1]; 1: nothing to blame.
struct LaneFactors {
  float lanes = 1;  // 0 where the car, taken as along the road, reaches over the road's edge
  float speed = 1;  // 1 - (what is over the limit) / 2.23 m/s, 0 or more
  // 1/8 less for each limit passed: lateral acceleration 4.89 m/s^2, yaw rate 0.95 rad/s, yaw
  // acceleration 1.93 rad/s^2, jerk 8.37 m/s^3. The car's own limits keep the published ones on
  // longitudinal acceleration and jerk.
  float comfort = 1;
  float clearance = 1;  // 0.5 where going on like this touches a parked car within 1 s
  float centring = 1;   // 0.5 after more than 3 s at more than 0.5 m from the centre of a lane

  float Product() const { return lanes * speed * comfort * clearance * centring; }
};

bool IsOffCentre(const LaneState& state);

// Of the step from one state to the next.
LaneFactors FactorsOf(const LaneState& before, const LaneState& after);

// Per cent of the road gained, times the factors, less kCollisionPenalty in a collision.
float LaneReward(const LaneState& before, const LaneState& after, bool collided);

}  // namespace gwm::toy

#endif  // GWM_ENGINE_TOY_LANE_REWARD_H_
