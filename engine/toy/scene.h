// Gaussians that look like discs and beams on a table, and their picture.
#ifndef GWM_ENGINE_TOY_SCENE_H_
#define GWM_ENGINE_TOY_SCENE_H_

#include <array>
#include <cstddef>
#include <vector>

#include "engine/api/types.h"
#include "engine/api/world.h"

namespace gwm::toy {

using Colour = std::array<float, 3>;  // RGB in [0, 1]

// Metres, world frame: +z up, the table at z = 0 around the origin. Opaque round Gaussians.
class Scene {
 public:
  // A table of (2 half_width_m)^2 in two greys.
  void AddTable(float half_width_m);
  // A flat disc that lies at height z.
  void AddDisc(float x, float y, float z, float radius_m, const Colour& colour);
  // From the point along the heading (radians from +x towards +y).
  void AddBeam(float x, float y, float z, float heading_rad, float length_m, const Colour& colour);

  size_t size() const { return sigmas_m_.size(); }
  GaussianCloud Cloud() const;
  RenderedView Render(const Camera& camera, const RenderOptions& options) const;

 private:
  void Add(float x, float y, float z, float sigma_m, const Colour& colour);

  std::vector<float> means_m_;   // [N, 3]
  std::vector<float> sigmas_m_;  // [N]
  std::vector<float> colours_;   // [N, 3]
};

// Looks straight down on [-1.2, 1.2]^2 of the table: +x to the right, +y up in the image.
Camera TopCamera();

}  // namespace gwm::toy

#endif  // GWM_ENGINE_TOY_SCENE_H_
