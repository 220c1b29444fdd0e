// A car on a straight strip of road, seen along the strip.
#ifndef GWM_ENGINE_TOY_LANE_STATE_H_
#define GWM_ENGINE_TOY_LANE_STATE_H_

#include <array>
#include <cstddef>
#include <span>
#include <vector>

#include "engine/toy/scene.h"

namespace gwm::toy {

// Seconds, metres, radians.
inline constexpr float kLaneDt = 0.1F;
inline constexpr float kRoadLength = 100;       // from the start to the finish
inline constexpr float kLaneWidth = 3.5F;       // two lanes, both driven towards +x
inline constexpr float kRoadHalf = kLaneWidth;  // the road's edge, from the line between the lanes
inline constexpr float kLaneCentre = kLaneWidth / 2;
inline constexpr float kCarLength = 4.5F, kCarWidth = 1.9F, kWheelbase = 2.9F;
inline constexpr float kMaxWheelAngle = 0.35F;
inline constexpr size_t kParkedCars = 2;

struct RoadPlace {
  float along_m = 0;   // from the start
  float across_m = 0;  // to the left of the line between the lanes
};

// As entries of a state, in this order.
struct LaneState {
  static constexpr size_t kEntries = 7 + 2 * kParkedCars;

  RoadPlace car;
  float heading_rad = 0;  // from the road's direction towards the left
  float speed_mps = 0;
  float drive_mps2 = 0;        // acceleration that the pedals give
  float steering = 0;          // of the last step, [-1, 1], to the left positive
  float off_centre_steps = 0;  // in a row, up to kMostOffCentreSteps
  std::array<RoadPlace, kParkedCars> parked;

  static LaneState From(std::span<const float> entries);
  std::vector<float> Entries() const;

  // rad and rad/s, to the left positive.
  float WheelAngle() const { return kMaxWheelAngle * steering; }
  float YawRate() const;
};

// Whether a car there, along the road, touches one of the parked cars.
bool TouchesParked(const LaneState& state, const RoadPlace& place);

// The stretch of road around the car, 10 m of it to a metre of the scene.
Scene DrawLane(const LaneState& state);

}  // namespace gwm::toy

#endif  // GWM_ENGINE_TOY_LANE_STATE_H_
