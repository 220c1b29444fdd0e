// The .splat format of web viewers: 32 bytes a Gaussian, degree 0 only.
#ifndef GWM_ENGINE_SCENE_SPLAT_H_
#define GWM_ENGINE_SCENE_SPLAT_H_

#include <string>

#include "absl/status/status.h"
#include "engine/api/types.h"

namespace gwm {

// Per Gaussian: position f32 x 3, linear scale f32 x 3, RGBA u8 (opacity after the sigmoid), unit
// quaternion w, x, y, z as u8 = 128 + 128 q. Sorted by decreasing volume times opacity, so that a
// viewer that streams the file shows the most first.
std::string SerializeSplat(const GaussianCloud& cloud);
absl::Status WriteSplat(const std::string& path, const GaussianCloud& cloud);

}  // namespace gwm

#endif  // GWM_ENGINE_SCENE_SPLAT_H_
