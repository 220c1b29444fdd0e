// A gripper that moves one of four blocks at a time, and is to bring the one of the goal's colour
// to the goal. Blocks are rigid groups of Gaussians, so that a state is a Gaussian scene and the
// next one is known exactly.
//
// State: blocks_state.h. Action: velocity of the gripper x, y, z (0.5 m/s per entry); rotation of a
// step in 6-d form, as what it adds to the identity (0.1 per entry: rows (1, 0, 0) + 0.1 a[3:6] and
// (0, 1, 0) + 0.1 a[6:9], made orthonormal); fingers, closed above 0.
// Fingers that close on a block within reach take hold of it at its centre; the nearest, the lowest
// number of several. What is held moves and turns with the gripper, until the fingers open: then it
// drops onto the table as it is turned. Walls and table stop both. Blocks keep their distance at
// every height: one that is held slides along the others, or stays where there is no way. The empty
// gripper passes through blocks.
// Reward: 10 times the way that the target gained towards the goal, 2 times the turn that it gained
// towards the goal's, 2 times the way that the gripper gained towards the target, less 0.01 times
// the squared motion; 10 at the goal.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "engine/toy/blocks_state.h"
#include "engine/toy/task.h"

namespace gwm::toy {
namespace {

constexpr uint32_t kTaskNumber = 3;
constexpr size_t kFirstRow = 3, kSecondRow = 6, kFingers = 9;
constexpr int kActionDim = 10;
constexpr float kDt = 0.1F;
constexpr float kGripperSpeed = 0.5F, kTurnScale = 0.1F;
constexpr float kWall = 0.9F, kTop = 0.4F, kLow = kBlockHalf[2];
constexpr float kReach = 0.12F;
// More than two half diagonals of a block: no way of turning makes them touch.
constexpr float kApart = 0.35F;
constexpr float kStartWall = 0.7F, kStartHeight = 0.2F;
constexpr float kGoalRadius = 0.08F, kGoalAngle = 0.25F;
constexpr float kPi = std::numbers::pi_v<float>;

float Distance(const Vector& a, const Vector& b) {
  return std::hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);
}
float PlanDistance(const Vector& a, const Vector& b) {
  return std::hypot(a[0] - b[0], a[1] - b[1]);
}

Vector InsideWalls(const Vector& place_m, float least_z_m) {
  return {std::clamp(place_m[0], -kWall, kWall), std::clamp(place_m[1], -kWall, kWall),
          std::clamp(place_m[2], least_z_m, kTop)};
}

int NearestInReach(const BlocksState& state) {
  int nearest = kNoBlock;
  float least_m = kReach;
  for (size_t i = 0; i < kBlocks; ++i) {
    const float distance_m = Distance(state.gripper_m, state.blocks[i].centre_m);
    if (distance_m < least_m) {
      least_m = distance_m;
      nearest = static_cast<int>(i);
    }
  }
  return nearest;
}

bool IsClear(const BlocksState& state, size_t moved, const Vector& place_m) {
  for (size_t i = 0; i < kBlocks; ++i) {
    // Rounding: a block that slid along another is at just this distance.
    if (i != moved && PlanDistance(place_m, state.blocks[i].centre_m) < kApart - 1e-5F)
      return false;
  }
  return true;
}

// Where block `moved` ends up when it is to go to `wanted_m`.
Vector SlideTo(const BlocksState& state, size_t moved, Vector wanted_m) {
  const Vector from_m = state.blocks[moved].centre_m;
  for (size_t i = 0; i < kBlocks; ++i) {
    const Vector& other_m = state.blocks[i].centre_m;
    const float distance_m = PlanDistance(wanted_m, other_m);
    if (i == moved || distance_m >= kApart || distance_m == 0) continue;
    for (size_t axis : {0, 1}) {
      wanted_m[axis] = other_m[axis] + kApart * (wanted_m[axis] - other_m[axis]) / distance_m;
    }
  }
  const Vector inside_m = InsideWalls(wanted_m, wanted_m[2]);
  if (IsClear(state, moved, inside_m)) return inside_m;
  return {from_m[0], from_m[1], inside_m[2]};
}

void MoveHeld(BlocksState& state, const Vector& way_m, const Quaternion& turn) {
  const auto held = static_cast<size_t>(state.held);
  BlockPose& block = state.blocks[held];
  block.rotation = Normalised(Product(turn, block.rotation));
  const Vector wanted_m = {
      block.centre_m[0] + way_m[0], block.centre_m[1] + way_m[1],
      std::clamp(block.centre_m[2] + way_m[2], RestHeight(block.rotation), kTop)};
  block.centre_m = SlideTo(state, held, wanted_m);
  state.gripper_m = block.centre_m;
}

void MoveFingers(BlocksState& state, bool closed) {
  if (closed) {
    if (state.held == kNoBlock) state.held = NearestInReach(state);
  } else if (state.held != kNoBlock) {
    BlockPose& block = state.blocks[static_cast<size_t>(state.held)];
    block.centre_m[2] = RestHeight(block.rotation);
    state.held = kNoBlock;
  }
}

class Blocks final : public Task {
 public:
  Blocks() {
    spec_.least_state = {-kWall, -kWall, kLow, kNoBlock, 0, -1, -1, -kPi};
    spec_.greatest_state = {kWall, kWall, kTop, kBlocks - 1, kBlocks - 1, 1, 1, kPi};
    for (size_t i = 0; i < kBlocks; ++i) {
      spec_.least_state.insert(spec_.least_state.end(), {-kWall, -kWall, kLow, -1, -1, -1, -1});
      spec_.greatest_state.insert(spec_.greatest_state.end(), {kWall, kWall, kTop, 1, 1, 1, 1});
    }
  }

  const TaskSpec& spec() const override { return spec_; }
  std::vector<float> Start(uint32_t index) const override;
  Transition Step(std::span<const float> state, std::span<const float> action) const override;
  Scene Draw(std::span<const float> state) const override {
    return DrawBlocks(BlocksState::From(state));
  }

 private:
  TaskSpec spec_ = {.name = "blocks",
                    .action_dim = kActionDim,
                    .least_state = {},
                    .greatest_state = {},
                    .control_dt_s = kDt};
};

std::vector<float> Blocks::Start(uint32_t index) const {
  StartDraws draws(kTaskNumber, index);
  const auto somewhere = [&draws](float z_m) {
    const float x = draws.Between(-kStartWall, kStartWall);
    return Vector{x, draws.Between(-kStartWall, kStartWall), z_m};
  };
  BlocksState state;
  state.target = static_cast<size_t>(draws.Next() * kBlocks);
  state.gripper_m = somewhere(kStartHeight);
  // Places of the blocks and of the goal: wherever there is room beside those before.
  std::vector<Vector> taken_m;
  while (taken_m.size() < kBlocks + 1) {
    const Vector place_m = somewhere(kBlockHalf[2]);
    if (std::ranges::all_of(taken_m, [&](const Vector& other_m) {
          return PlanDistance(place_m, other_m) >= kApart;
        })) {
      taken_m.push_back(place_m);
    }
  }
  for (size_t i = 0; i < kBlocks; ++i) {
    state.blocks[i] = {taken_m[i], FromYaw(draws.Between(-kPi, kPi))};
  }
  state.goal_m = taken_m[kBlocks];
  state.goal_yaw_rad = draws.Between(-kPi, kPi);
  return state.Entries();
}

Transition Blocks::Step(std::span<const float> state, std::span<const float> action) const {
  const BlocksState before = BlocksState::From(state);
  BlocksState after = before;
  MoveFingers(after, action[kFingers] > 0);
  const float way_m = kGripperSpeed * kDt;
  const Vector move_m = {way_m * action[0], way_m * action[1], way_m * action[2]};
  if (after.held == kNoBlock) {
    const auto& at_m = after.gripper_m;
    after.gripper_m =
        InsideWalls({at_m[0] + move_m[0], at_m[1] + move_m[1], at_m[2] + move_m[2]}, kLow);
  } else {
    const auto rows = [&action](size_t i) { return kTurnScale * action[i]; };
    MoveHeld(after, move_m,
             FromRows({1 + rows(kFirstRow), rows(kFirstRow + 1), rows(kFirstRow + 2)},
                      {rows(kSecondRow), 1 + rows(kSecondRow + 1), rows(kSecondRow + 2)}));
  }

  const BlockPose goal = before.Goal();
  const BlockPose &old = before.blocks[before.target], &now = after.blocks[after.target];
  const float distance_m = Distance(now.centre_m, goal.centre_m);
  const float angle_rad = AngleBetween(now.rotation, goal.rotation);
  float effort = 0;
  for (float entry : action.first(kFingers)) effort += entry * entry;
  const bool success = distance_m < kGoalRadius && angle_rad < kGoalAngle;
  const float gained_m = Distance(old.centre_m, goal.centre_m) - distance_m;
  const float turned_rad = AngleBetween(old.rotation, goal.rotation) - angle_rad;
  const float nearer_m =
      Distance(before.gripper_m, old.centre_m) - Distance(after.gripper_m, now.centre_m);
  return {.next = after.Entries(),
          .reward = 10 * gained_m + 2 * turned_rad + 2 * nearer_m - 0.01F * effort +
                    (success ? 10.0F : 0.0F),
          .ended = success,
          .success = success};
}

}  // namespace

std::unique_ptr<Task> MakeBlocksTask() { return std::make_unique<Blocks>(); }

}  // namespace gwm::toy
