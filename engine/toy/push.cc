// A disc that pushes a puck to a goal on the square [-1, 1]^2.
//
// State: pusher x, y, puck x, y, goal x, y [m]. Action: velocity of the pusher (1 m/s per entry).
// The puck does not slide: it moves just as far as it takes to make room for the pusher, along the
// line of their centres. Walls stop both; a puck between pusher and wall stops the pusher too.
// Reward: 10 times the way that the puck gained towards the goal, 2 times the way that the pusher
// gained towards the puck, less 0.01 times the squared action; 10 at the goal.
#include <algorithm>
#include <cmath>

#include "engine/toy/task.h"

namespace gwm::toy {
namespace {

constexpr uint32_t kTaskNumber = 2;
constexpr float kDt = 0.05F;
constexpr float kPusherRadius = 0.08F, kPuckRadius = 0.12F, kGoalRadius = 0.12F;
constexpr float kTouch = kPusherRadius + kPuckRadius;
constexpr float kPusherWall = 1 - kPusherRadius, kPuckWall = 1 - kPuckRadius;
// Pucks start where they can be pushed in every direction.
constexpr float kStartWall = 0.6F;

enum Entry : size_t { kPusherX, kPusherY, kPuckX, kPuckY, kGoalX, kGoalY, kEntries };

float Distance(std::span<const float> state, size_t a, size_t b) {
  return std::hypot(state[a] - state[b], state[a + 1] - state[b + 1]);
}

// Moves disc `moved` straight away from disc `fixed` until they touch no more.
void PushAway(std::vector<float>& state, size_t fixed, size_t moved) {
  const float distance = Distance(state, fixed, moved);
  if (distance >= kTouch) return;
  // Two discs in one place: any direction will do, as long as it is always the same.
  const float dx = distance > 0 ? (state[moved] - state[fixed]) / distance : 1;
  const float dy = distance > 0 ? (state[moved + 1] - state[fixed + 1]) / distance : 0;
  state[moved] = state[fixed] + kTouch * dx;
  state[moved + 1] = state[fixed + 1] + kTouch * dy;
}

void KeepInside(std::vector<float>& state, size_t disc, float wall) {
  state[disc] = std::clamp(state[disc], -wall, wall);
  state[disc + 1] = std::clamp(state[disc + 1], -wall, wall);
}

class Push final : public Task {
 public:
  const TaskSpec& spec() const override { return spec_; }

  std::vector<float> Start(uint32_t index) const override {
    StartDraws draws(kTaskNumber, index);
    std::vector<float> state(kEntries);
    for (float& entry : state) entry = draws.Between(-kStartWall, kStartWall);
    // Not solved already, and not touching.
    while (Distance(state, kPuckX, kGoalX) < 3 * kGoalRadius) {
      for (size_t i : {kGoalX, kGoalY}) state[i] = draws.Between(-kStartWall, kStartWall);
    }
    while (Distance(state, kPusherX, kPuckX) < kTouch) {
      for (size_t i : {kPusherX, kPusherY}) state[i] = draws.Between(-kStartWall, kStartWall);
    }
    return state;
  }

  Transition Step(std::span<const float> state, std::span<const float> action) const override {
    Transition out{.next = {state.begin(), state.end()}};
    std::vector<float>& next = out.next;
    next[kPusherX] += action[0] * kDt;
    next[kPusherY] += action[1] * kDt;
    KeepInside(next, kPusherX, kPusherWall);
    PushAway(next, kPusherX, kPuckX);
    KeepInside(next, kPuckX, kPuckWall);
    PushAway(next, kPuckX, kPusherX);
    KeepInside(next, kPusherX, kPusherWall);
    out.success = out.ended = Distance(next, kPuckX, kGoalX) < kGoalRadius;
    const float gained = Distance(state, kPuckX, kGoalX) - Distance(next, kPuckX, kGoalX);
    const float nearer = Distance(state, kPusherX, kPuckX) - Distance(next, kPusherX, kPuckX);
    const float effort = action[0] * action[0] + action[1] * action[1];
    out.reward = 10 * gained + 2 * nearer - 0.01F * effort + (out.success ? 10.0F : 0.0F);
    return out;
  }

  Scene Draw(std::span<const float> state) const override {
    Scene scene;
    scene.AddTable(1.5F);
    scene.AddDisc(state[kGoalX], state[kGoalY], 0.02F, 1.3F * kPuckRadius, {0.1F, 0.75F, 0.2F});
    scene.AddDisc(state[kPuckX], state[kPuckY], 0.04F, kPuckRadius, {0.9F, 0.2F, 0.15F});
    scene.AddDisc(state[kPusherX], state[kPusherY], 0.06F, kPusherRadius, {0.15F, 0.25F, 0.9F});
    return scene;
  }

 private:
  const TaskSpec spec_ = {
      .name = "push",
      .action_dim = 2,
      .least_state = {-kPusherWall, -kPusherWall, -kPuckWall, -kPuckWall, -1, -1},
      .greatest_state = {kPusherWall, kPusherWall, kPuckWall, kPuckWall, 1, 1},
      .control_dt_s = kDt};
};

}  // namespace

std::unique_ptr<Task> MakePushTask() { return std::make_unique<Push>(); }

}  // namespace gwm::toy
