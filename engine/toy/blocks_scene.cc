#include <array>

#include "engine/toy/blocks_state.h"

namespace gwm::toy {
namespace {

constexpr std::array<int, 3> kCells = {6, 4, 4};  // Gaussians along the axes of a block
constexpr std::array<Colour, kBlocks> kColours = {
    {{0.9F, 0.15F, 0.1F}, {0.1F, 0.7F, 0.2F}, {0.15F, 0.3F, 0.95F}, {0.95F, 0.8F, 0.1F}}};
constexpr Colour kWhite = {0.97F, 0.97F, 0.97F}, kBlack = {0.05F, 0.05F, 0.05F};
constexpr float kCellSigmas = 0.5F;     // how far a Gaussian spreads, as a share of its cell
constexpr float kGripperAbove = 0.15F;  // the hand over the point between its fingers
constexpr float kOpenRadius = 0.07F, kClosedRadius = 0.05F;
constexpr RectangleShape kGoalFrame = {
    .length_m = 0.42F, .width_m = 0.32F, .rows = 12, .columns = 9};
constexpr RectangleShape kGoalPlate = {.length_m = 0.30F, .width_m = 0.2F, .rows = 9, .columns = 6};
constexpr float kMarkLength = 0.08F;

// The end of a block that its own x axis points to: it tells a turn by pi.
Colour Shaded(const Colour& colour) {
  return {0.35F * colour[0], 0.35F * colour[1], 0.35F * colour[2]};
}

void AddBlock(Scene& scene, const BlockPose& pose, const Colour& colour) {
  Vector edge_m{};
  for (size_t axis = 0; axis < 3; ++axis) {
    edge_m[axis] = 2 * kBlockHalf[axis] / static_cast<float>(kCells[axis]);
  }
  const Vector sigmas_m = {kCellSigmas * edge_m[0], kCellSigmas * edge_m[1],
                           kCellSigmas * edge_m[2]};
  std::array<int, 3> cell{};
  for (cell[0] = 0; cell[0] < kCells[0]; ++cell[0]) {
    for (cell[1] = 0; cell[1] < kCells[1]; ++cell[1]) {
      for (cell[2] = 0; cell[2] < kCells[2]; ++cell[2]) {
        Vector own_m{};
        for (size_t axis = 0; axis < 3; ++axis) {
          own_m[axis] = (static_cast<float>(cell[axis]) + 0.5F) * edge_m[axis] - kBlockHalf[axis];
        }
        const Vector turned_m = Rotated(pose.rotation, own_m);
        scene.Add({.mean_m = {pose.centre_m[0] + turned_m[0], pose.centre_m[1] + turned_m[1],
                              pose.centre_m[2] + turned_m[2]},
                   .rotation = pose.rotation,
                   .sigmas_m = sigmas_m,
                   .colour = cell[0] + 1 == kCells[0] ? Shaded(colour) : colour});
      }
    }
  }
}

// A plate of the colour of the block that is to lie on it, as it is to lie.
void AddGoal(Scene& scene, const BlocksState& state) {
  const auto [x, y, z] = state.goal_m;
  const Colour& colour = kColours[state.target];
  scene.AddRectangle(x, y, 0.005F, state.goal_yaw_rad, kGoalFrame, kWhite);
  scene.AddRectangle(x, y, 0.01F, state.goal_yaw_rad, kGoalPlate, colour);
  const Vector mark_m =
      Rotated(FromYaw(state.goal_yaw_rad), {(kGoalPlate.length_m - kMarkLength) / 2, 0, 0});
  scene.AddRectangle(
      x + mark_m[0], y + mark_m[1], 0.015F, state.goal_yaw_rad,
      {.length_m = kMarkLength, .width_m = kGoalPlate.width_m, .rows = 2, .columns = 6},
      Shaded(colour));
}

}  // namespace

Scene DrawBlocks(const BlocksState& state) {
  Scene scene;
  // First the blocks, so that their Gaussians have the lowest numbers.
  for (size_t i = 0; i < kBlocks; ++i) AddBlock(scene, state.blocks[i], kColours[i]);
  scene.AddTable(1.5F);
  AddGoal(scene, state);
  const auto [x, y, z] = state.gripper_m;
  const bool holds = state.held != kNoBlock;
  scene.AddDisc(x, y, z + kGripperAbove, holds ? kClosedRadius : kOpenRadius,
                holds ? kBlack : kWhite);
  return scene;
}

}  // namespace gwm::toy
