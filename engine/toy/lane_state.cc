#include "engine/toy/lane_state.h"

#include <algorithm>
#include <cmath>

namespace gwm::toy {

LaneState LaneState::From(std::span<const float> entries) {
  LaneState state = {.car = {entries[0], entries[1]},
                     .heading_rad = entries[2],
                     .speed_mps = entries[3],
                     .drive_mps2 = entries[4],
                     .steering = entries[5],
                     .off_centre_steps = std::round(entries[6]),
                     .parked = {}};
  for (size_t i = 0; i < kParkedCars; ++i) {
    state.parked[i] = {entries[7 + 2 * i], entries[8 + 2 * i]};
  }
  return state;
}

std::vector<float> LaneState::Entries() const {
  std::vector<float> entries = {car.along_m, car.across_m, heading_rad,     speed_mps,
                                drive_mps2,  steering,     off_centre_steps};
  for (const RoadPlace& other : parked) {
    entries.insert(entries.end(), {other.along_m, other.across_m});
  }
  return entries;
}

float LaneState::YawRate() const { return speed_mps * std::tan(WheelAngle()) / kWheelbase; }

bool TouchesParked(const LaneState& state, const RoadPlace& place) {
  return std::ranges::any_of(state.parked, [&place](const RoadPlace& other) {
    return std::abs(place.along_m - other.along_m) < kCarLength &&
           std::abs(place.across_m - other.across_m) < kCarWidth;
  });
}

}  // namespace gwm::toy
