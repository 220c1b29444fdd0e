// The cameras of gwm-render: one per picture.
#ifndef GWM_ENGINE_BIN_CAMERA_PATH_H_
#define GWM_ENGINE_BIN_CAMERA_PATH_H_

#include <array>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/bin/render_source.h"

namespace gwm {

struct CameraPathOptions {
  std::optional<std::array<double, 3>>
      eye_m;  // world; none: the source's camera, or one that sees a PLY whole
  std::optional<std::array<double, 3>> target_m;  // world; none: the middle of the scene
  std::array<double, 3> move_m{};                 // then along the camera's own axes
  double fov_deg = 0;                             // vertical; 0: the source's, 50 for a PLY
  int width = 0;                                  // pixels; 0: the source's, 256 for a PLY
  int height = 0;
  int orbit = 0;         // pictures on an arc around the target; 0: no arc
  double orbit_deg = 0;  // length of the arc; 0: 40 for a source with a camera, else 360
};

// As many cameras as pictures: the larger of the number of scenes and the length of the orbit.
absl::StatusOr<std::vector<Camera>> MakeCameraPath(const RenderSource& source,
                                                   const CameraPathOptions& options);

}  // namespace gwm

#endif  // GWM_ENGINE_BIN_CAMERA_PATH_H_
