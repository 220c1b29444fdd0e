#include "engine/toy/blocks_state.h"

#include <algorithm>
#include <cmath>

namespace gwm::toy {
namespace {

constexpr float kUnitTolerance = 1e-6F;

// What is of unit length already keeps its bits.
Quaternion UnitQuaternion(const Quaternion& q) {
  const float square = q[0] * q[0] + q[1] * q[1] + q[2] * q[2] + q[3] * q[3];
  return std::abs(square - 1) < kUnitTolerance ? q : Normalised(q);
}

}  // namespace

BlocksState BlocksState::From(std::span<const float> entries) {
  BlocksState state;
  std::copy_n(entries.begin(), 3, state.gripper_m.begin());
  state.held = static_cast<int>(std::lround(entries[3]));
  state.target = static_cast<size_t>(std::lround(entries[4]));
  state.goal_m = {entries[5], entries[6], kBlockHalf[2]};
  state.goal_yaw_rad = entries[7];
  for (size_t i = 0; i < kBlocks; ++i) {
    const auto block = entries.subspan(kHead + i * kPerBlock, kPerBlock);
    state.blocks[i].centre_m = {block[0], block[1], block[2]};
    state.blocks[i].rotation = UnitQuaternion({block[3], block[4], block[5], block[6]});
  }
  return state;
}

std::vector<float> BlocksState::Entries() const {
  std::vector<float> entries(gripper_m.begin(), gripper_m.end());
  entries.insert(entries.end(), {static_cast<float>(held), static_cast<float>(target), goal_m[0],
                                 goal_m[1], goal_yaw_rad});
  for (const BlockPose& block : blocks) {
    entries.insert(entries.end(), block.centre_m.begin(), block.centre_m.end());
    entries.insert(entries.end(), block.rotation.begin(), block.rotation.end());
  }
  return entries;
}

float RestHeight(const Quaternion& rotation) {
  // The lowest corner: how far each edge reaches along world z.
  const Vector up = Rotated(Inverse(rotation), {0, 0, 1});
  float height_m = 0;
  for (size_t axis = 0; axis < 3; ++axis) height_m += std::abs(up[axis]) * kBlockHalf[axis];
  // Not a rounding error lower than one that lies flat.
  return std::max(height_m, kBlockHalf[2]);
}

}  // namespace gwm::toy
