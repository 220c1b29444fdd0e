// Unicycle that is to reach a goal on the square [-1, 1]^2 (flow-matching policies with RL, arXiv
// 2507.15073; spfrommer/flowmatching_policy_rl: src/envs/unicycle/env.py).
//
// State: x, y [m], heading [rad], speed [m/s], goal x, goal y. Action: acceleration (1 m/s^2), turn
// rate (3 rad/s). The new speed and heading move it; leaving the square stops it at the wall.
// Reward: 10 times the way gained towards the goal, less 0.01 times the squared action; 10 at the
// goal.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "engine/toy/task.h"

namespace gwm::toy {
namespace {

constexpr uint32_t kTaskNumber = 1;
constexpr float kDt = 0.1F;
constexpr float kMaxTurnRate = 3, kMaxSpeed = 1, kWall = 1;
constexpr float kGoalRadius = 0.1F;
constexpr float kPi = std::numbers::pi_v<float>;

enum Entry : size_t { kX, kY, kHeading, kSpeed, kGoalX, kGoalY, kEntries };

float GoalDistance(std::span<const float> state) {
  return std::hypot(state[kX] - state[kGoalX], state[kY] - state[kGoalY]);
}

// Into [-pi, pi].
float Wrapped(float angle_rad) { return std::remainder(angle_rad, 2 * kPi); }

class Unicycle final : public Task {
 public:
  const TaskSpec& spec() const override { return spec_; }

  std::vector<float> Start(uint32_t index) const override {
    StartDraws draws(kTaskNumber, index);
    std::vector<float> state(kEntries);
    state[kX] = draws.Between(-kWall, kWall);
    state[kY] = draws.Between(-kWall, kWall);
    const float along = draws.Next(), across = draws.Next();
    state[kHeading] = std::atan2(across, along);
    state[kSpeed] = draws.Next();
    state[kGoalX] = draws.Between(-kWall, kWall);
    state[kGoalY] = draws.Between(-kWall, kWall);
    return state;
  }

  Transition Step(std::span<const float> state, std::span<const float> action) const override {
    Transition out{.next = {state.begin(), state.end()}};
    std::vector<float>& next = out.next;
    next[kSpeed] = std::clamp(state[kSpeed] + action[0] * kDt, 0.0F, kMaxSpeed);
    next[kHeading] = Wrapped(state[kHeading] + kMaxTurnRate * action[1] * kDt);
    next[kX] += next[kSpeed] * std::cos(next[kHeading]) * kDt;
    next[kY] += next[kSpeed] * std::sin(next[kHeading]) * kDt;
    const bool outside = std::max(std::abs(next[kX]), std::abs(next[kY])) > kWall;
    if (outside) {
      next[kX] = std::clamp(next[kX], -kWall, kWall);
      next[kY] = std::clamp(next[kY], -kWall, kWall);
      next[kSpeed] = 0;
    }
    out.success = out.ended = GoalDistance(next) < kGoalRadius;
    const float effort = action[0] * action[0] + action[1] * action[1];
    out.reward = 10 * (GoalDistance(state) - GoalDistance(next)) - 0.01F * effort +
                 (out.success ? 10.0F : 0.0F);
    return out;
  }

  Scene Draw(std::span<const float> state) const override {
    Scene scene;
    scene.AddTable(1.5F);
    scene.AddDisc(state[kGoalX], state[kGoalY], 0.02F, 1.5F * kGoalRadius, {0.1F, 0.75F, 0.2F});
    scene.AddDisc(state[kX], state[kY], 0.04F, 0.13F, {0.15F, 0.25F, 0.9F});
    // Longer the faster it is.
    scene.AddBeam(state[kX], state[kY], 0.06F, state[kHeading], 0.12F + 0.12F * state[kSpeed],
                  {0.95F, 0.85F, 0.1F});
    return scene;
  }

 private:
  const TaskSpec spec_ = {.name = "unicycle",
                          .action_dim = 2,
                          .least_state = {-kWall, -kWall, -kPi, 0, -kWall, -kWall},
                          .greatest_state = {kWall, kWall, kPi, kMaxSpeed, kWall, kWall},
                          .control_dt_s = kDt};
};

}  // namespace

std::unique_ptr<Task> MakeUnicycleTask() { return std::make_unique<Unicycle>(); }

}  // namespace gwm::toy
