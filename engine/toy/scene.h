// Gaussians that look like discs, beams and boxes on a table, and their picture.
#ifndef GWM_ENGINE_TOY_SCENE_H_
#define GWM_ENGINE_TOY_SCENE_H_

#include <array>
#include <cstddef>
#include <vector>

#include "engine/api/types.h"
#include "engine/api/world.h"
#include "engine/toy/rotation.h"

namespace gwm::toy {

using Colour = std::array<float, 3>;  // RGB in [0, 1]

struct Ellipsoid {
  Vector mean_m{};
  Quaternion rotation = kNoRotation;  // world from its own axes
  Vector sigmas_m{};                  // standard deviations along its own axes
  Colour colour{};
};

struct RectangleShape {
  float length_m = 0;  // along the heading
  float width_m = 0;
  int rows = 1;     // of Gaussians along the length
  int columns = 1;  // and along the width
};

// Metres, world frame: +z up, the table at z = 0 around the origin. Opaque Gaussians.
class Scene {
 public:
  void Add(const Ellipsoid& ellipsoid);
  // A table of (2 half_width_m)^2 in two greys.
  void AddTable(float half_width_m);
  // A flat disc that lies at height z.
  void AddDisc(float x, float y, float z, float radius_m, const Colour& colour);
  // From the point along the heading (radians from +x towards +y).
  void AddBeam(float x, float y, float z, float heading_rad, float length_m, const Colour& colour);
  // A flat rectangle around (x, y) at height z, filled by rows x columns Gaussians.
  void AddRectangle(float x, float y, float z, float heading_rad, const RectangleShape& shape,
                    const Colour& colour);

  size_t size() const { return means_m_.size() / 3; }
  GaussianCloud Cloud() const;
  RenderedView Render(const Camera& camera, const RenderOptions& options) const;

 private:
  std::vector<float> means_m_;   // [N, 3]
  std::vector<float> quats_;     // [N, 4] w, x, y, z
  std::vector<float> sigmas_m_;  // [N, 3]
  std::vector<float> colours_;   // [N, 3]
};

// Looks straight down on [-1.2, 1.2]^2 of the table: +x to the right, +y up in the image.
Camera TopCamera();

}  // namespace gwm::toy

#endif  // GWM_ENGINE_TOY_SCENE_H_
