#include <cmath>

#include "engine/toy/lane_state.h"

namespace gwm::toy {
namespace {

constexpr float kScale = 0.1F;    // metres of the scene per metre of road
constexpr float kCarX = -0.65F;   // where the car is in the scene, so that more is seen ahead
constexpr float kSceneWidth = 3;  // of ground
constexpr float kPostEvery = 8, kDashEvery = 5;  // of road; they tell how fast it goes
constexpr int kPosts = 5, kDashes = 8;           // of a row, enough for the whole picture
constexpr Colour kGrass = {0.25F, 0.5F, 0.2F}, kAsphalt = {0.28F, 0.28F, 0.3F};
constexpr Colour kWhite = {0.95F, 0.95F, 0.95F}, kPost = {0.1F, 0.22F, 0.1F};
constexpr Colour kOwn = {0.15F, 0.35F, 0.95F}, kParked = {0.9F, 0.2F, 0.15F};
constexpr Colour kYellow = {0.95F, 0.85F, 0.1F};
constexpr float kMarksZ = 0.02F, kCarsZ = 0.04F, kBeamZ = 0.06F;
constexpr RectangleShape kCar = {
    .length_m = kScale * kCarLength, .width_m = kScale * kCarWidth, .rows = 9, .columns = 4};

void AddGround(Scene& scene) {
  scene.AddRectangle(0, 0, 0, 0,
                     {.length_m = kSceneWidth, .width_m = kSceneWidth, .rows = 15, .columns = 15},
                     kGrass);
  scene.AddRectangle(
      0, 0, 0.01F, 0,
      {.length_m = kSceneWidth, .width_m = 2 * kScale * kRoadHalf, .rows = 30, .columns = 10},
      kAsphalt);
}

// One of a row of things along the road, every so many metres: the first in the picture and `i` on.
float RowX(const LaneState& state, float every_m, int i) {
  const float first_m = every_m * std::ceil((state.car.along_m - 8) / every_m);
  return kCarX + kScale * (first_m + every_m * static_cast<float>(i) - state.car.along_m);
}

void AddMarks(Scene& scene, const LaneState& state) {
  for (int i = 0; i < kDashes; ++i) {
    scene.AddRectangle(RowX(state, kDashEvery, i), 0, kMarksZ, 0,
                       {.length_m = 0.2F, .width_m = 0.04F, .rows = 4, .columns = 1}, kWhite);
  }
  for (int i = 0; i < kPosts; ++i) {
    for (float side : {-1.0F, 1.0F}) {
      scene.AddDisc(RowX(state, kPostEvery, i), 0.65F * side, kMarksZ, 0.13F, kPost);
    }
  }
  scene.AddRectangle(
      kCarX + kScale * (kRoadLength - state.car.along_m), 0, kMarksZ, 0,
      {.length_m = 0.12F, .width_m = 2 * kScale * kRoadHalf, .rows = 2, .columns = 12}, kWhite);
}

}  // namespace

Scene DrawLane(const LaneState& state) {
  Scene scene;
  AddGround(scene);
  AddMarks(scene, state);
  for (const RoadPlace& other : state.parked) {
    scene.AddRectangle(kCarX + kScale * (other.along_m - state.car.along_m),
                       kScale * other.across_m, kCarsZ, 0, kCar, kParked);
  }
  const float y_m = kScale * state.car.across_m;
  scene.AddRectangle(kCarX, y_m, kCarsZ, state.heading_rad, kCar, kOwn);
  // From the nose to where the front wheels point; longer the faster it is.
  const float nose_m = kCar.length_m / 2;
  scene.AddBeam(kCarX + nose_m * std::cos(state.heading_rad),
                y_m + nose_m * std::sin(state.heading_rad), kBeamZ,
                state.heading_rad + state.WheelAngle(), 0.1F + 0.02F * state.speed_mps, kYellow);
  return scene;
}

}  // namespace gwm::toy
