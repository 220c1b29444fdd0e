// A car that is to drive 100 m of a two-lane road past parked cars: the action space of 21 steering
// and 2 throttle levels (arXiv 2507.05251) with the reward of CaRL (lane_reward.h).
//
// State: lane_state.h. Action: two entries in [-1, 1] that stand for discrete levels, each for the
// nearest of those that divide [-1, 1] evenly: steering -1, -0.9, ..., 1 (to the left positive),
// and throttle -1 (brake, -3 m/s^2) or 1 (accelerate, 2 m/s^2); between two levels the upper one,
// so 0 accelerates. All 42 are allowed at all times. The masked action space of that paper, the
// levels within 0.2 of the present steering, is up to the client: entry 5 of the latents is that
// steering. Pedals: the acceleration follows by at most 4 m/s^3. A bicycle model moves the car with
// the new acceleration, speed and heading. The edge of the road stops and ends it, as do a parked
// car, which costs 1, and the finish, which is success.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "engine/toy/lane_reward.h"
#include "engine/toy/lane_state.h"
#include "engine/toy/task.h"

namespace gwm::toy {
namespace {

constexpr uint32_t kTaskNumber = 4;
constexpr int kSteeringLevels = 21, kThrottleLevels = 2;
// m/s^2, m/s^3, m/s, rad.
constexpr float kAccelerate = 2, kBrake = -3, kPedalJerk = 4;
constexpr float kMaxSpeed = 12;
constexpr float kMaxHeading = std::numbers::pi_v<float> / 2;

// The nearest of `levels` values that divide [-1, 1] evenly.
float Level(float entry, int levels) {
  const float last = static_cast<float>(levels - 1);
  return 2 * std::round((entry + 1) / 2 * last) / last - 1;
}

LaneState Driven(const LaneState& before, std::span<const float> action) {
  LaneState after = before;
  const float wanted_mps2 = Level(action[1], kThrottleLevels) > 0 ? kAccelerate : kBrake;
  const float most_mps2 = kPedalJerk * kLaneDt;
  after.drive_mps2 += std::clamp(wanted_mps2 - before.drive_mps2, -most_mps2, most_mps2);
  after.speed_mps = std::clamp(before.speed_mps + after.drive_mps2 * kLaneDt, 0.0F, kMaxSpeed);
  after.steering = Level(action[0], kSteeringLevels);
  after.heading_rad =
      std::clamp(before.heading_rad + after.YawRate() * kLaneDt, -kMaxHeading, kMaxHeading);
  const float way_m = after.speed_mps * kLaneDt;
  after.car.along_m =
      std::min(before.car.along_m + way_m * std::cos(after.heading_rad), kRoadLength);
  after.car.across_m =
      std::clamp(before.car.across_m + way_m * std::sin(after.heading_rad), -kRoadHalf, kRoadHalf);
  after.off_centre_steps =
      IsOffCentre(after) ? std::min(before.off_centre_steps + 1, kMostOffCentreSteps) : 0.0F;
  return after;
}

class LaneStrip final : public Task {
 public:
  const TaskSpec& spec() const override { return spec_; }

  std::vector<float> Start(uint32_t index) const override {
    StartDraws draws(kTaskNumber, index);
    const auto lane = [&draws] { return draws.Next() < 0.5F ? -kLaneCentre : kLaneCentre; };
    LaneState state;
    state.car.across_m = lane() + draws.Between(-0.5F, 0.5F);
    state.heading_rad = draws.Between(-0.1F, 0.1F);
    state.speed_mps = draws.Between(2, 8);
    // Far enough from each other to change lanes in between.
    state.parked[0] = {draws.Between(30, 45), lane()};
    state.parked[1] = {draws.Between(65, 80), lane()};
    return state.Entries();
  }

  Transition Step(std::span<const float> state, std::span<const float> action) const override {
    const LaneState before = LaneState::From(state);
    const LaneState after = Driven(before, action);
    const bool collided = TouchesParked(after, after.car);
    const bool left_road = std::abs(after.car.across_m) >= kRoadHalf;
    const bool success = !collided && !left_road && after.car.along_m >= kRoadLength;
    return {.next = after.Entries(),
            .reward = LaneReward(before, after, collided),
            .ended = collided || left_road || success,
            .success = success};
  }

  Scene Draw(std::span<const float> state) const override {
    return DrawLane(LaneState::From(state));
  }

 private:
  const TaskSpec spec_ = {
      .name = "lane-strip",
      .action_dim = 2,
      .least_state = {0, -kRoadHalf, -kMaxHeading, 0, kBrake, -1, 0, 0, -kRoadHalf, 0, -kRoadHalf},
      .greatest_state = {kRoadLength, kRoadHalf, kMaxHeading, kMaxSpeed, kAccelerate, 1,
                         kMostOffCentreSteps, kRoadLength, kRoadHalf, kRoadLength, kRoadHalf},
      .control_dt_s = kLaneDt};
};

}  // namespace

std::unique_ptr<Task> MakeLaneStripTask() { return std::make_unique<LaneStrip>(); }

}  // namespace gwm::toy
