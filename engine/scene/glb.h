// Binary glTF with the extension KHR_gaussian_splatting.
#ifndef GWM_ENGINE_SCENE_GLB_H_
#define GWM_ENGINE_SCENE_GLB_H_

#include <string>

#include "absl/status/status.h"
#include "engine/api/types.h"

namespace gwm {

// One POINTS primitive with POSITION and KHR_gaussian_splatting:ROTATION (unit x, y, z, w), SCALE
// (linear), OPACITY (0..1) and SH_DEGREE_l_COEF_m. glTF is +y up while our world is +z up: the node
// carries that rotation, the data stay as they are, so SH coefficients keep their meaning. SH
// degree above 3 is cut (the extension ends there).
std::string SerializeGlb(const GaussianCloud& cloud);
absl::Status WriteGlb(const std::string& path, const GaussianCloud& cloud);

}  // namespace gwm

#endif  // GWM_ENGINE_SCENE_GLB_H_
