// What the blocks world is made of: boxes, a gripper, a goal.
#ifndef GWM_ENGINE_TOY_BLOCKS_STATE_H_
#define GWM_ENGINE_TOY_BLOCKS_STATE_H_

#include <array>
#include <cstddef>
#include <span>
#include <vector>

#include "engine/toy/rotation.h"
#include "engine/toy/scene.h"

namespace gwm::toy {

inline constexpr size_t kBlocks = 4;
inline constexpr int kNoBlock = -1;
// Half the edges of a block along its own axes, metres.
inline constexpr Vector kBlockHalf = {0.13F, 0.08F, 0.08F};

struct BlockPose {
  Vector centre_m{};
  Quaternion rotation = kNoRotation;  // world from the block's own axes; of unit length
};

// As entries of a state, in this order: gripper x, y, z; number of the block it holds (-1: none);
// number of the block to be brought to the goal; goal x, y, yaw; x, y, z, quaternion w, x, y, z of
// each block.
struct BlocksState {
  static constexpr size_t kHead = 8, kPerBlock = 7, kEntries = kHead + kBlocks * kPerBlock;

  Vector gripper_m{};
  int held = kNoBlock;
  size_t target = 0;
  Vector goal_m{};
  float goal_yaw_rad = 0;
  std::array<BlockPose, kBlocks> blocks;

  // Block numbers are rounded and quaternions made of unit length: states that clients decode from
  // latents are not exact.
  static BlocksState From(std::span<const float> entries);
  std::vector<float> Entries() const;

  BlockPose Goal() const { return {goal_m, FromYaw(goal_yaw_rad)}; }
};

// How high the centre of a block turned like this is when it touches the table.
float RestHeight(const Quaternion& rotation);

// 96 Gaussians a block, which turn and move with it: exactly what its pose says.
Scene DrawBlocks(const BlocksState& state);

}  // namespace gwm::toy

#endif  // GWM_ENGINE_TOY_BLOCKS_STATE_H_
