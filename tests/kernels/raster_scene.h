// Random scenes for the rasteriser's tests, and one call of the renderer on them.
#ifndef GWM_TESTS_KERNELS_RASTER_SCENE_H_
#define GWM_TESTS_KERNELS_RASTER_SCENE_H_

#include <cstdint>
#include <vector>

#include "kernels/render.h"

namespace gwm::kernels {

// S scenes of N Gaussians seen by P cameras each; arrays as in project.h.
struct RasterScene {
  int64_t scenes = 1, gaussians = 0, views_per_scene = 1;
  int width = 0, height = 0;
  int sh_degree = kDirectColors, sh_coefficients = 0;
  RenderOptions options;
  std::vector<float> means, quats, scales, opacities, colors;
  std::vector<float> viewmats, intrinsics, background;

  int64_t views() const { return scenes * views_per_scene; }
  int64_t pixels() const { return views() * width * height; }
  GaussianInputs gaussian_inputs() const;
  CameraInputs camera_inputs() const;
};

struct SceneSpec {
  int64_t scenes = 1, gaussians = 20, views_per_scene = 1;
  int width = 24, height = 20;
  float sigma_px = 2.0f;  // typical size on the screen
  float max_opacity = 0.95f;
  int sh_degree = kDirectColors;
  RenderOptions options;
  uint64_t seed = 1;
};

RasterScene MakeScene(const SceneSpec& spec);

struct RasterImages {
  std::vector<float> rgb, alpha, depth;
  bool operator==(const RasterImages&) const = default;
};

struct SceneGradients {
  std::vector<float> means, quats, scales, opacities, colors, background;
  bool operator==(const SceneGradients&) const = default;
};

RasterImages Render(const RasterScene& scene, RenderScratch* scratch, const CpuContext& cpu = {});

// Gradient of sum(rgb * weights.rgb) + sum(alpha * weights.alpha) + sum(depth * weights.depth).
SceneGradients RenderGradients(const RasterScene& scene, const RasterImages& weights,
                               RenderScratch* scratch, const CpuContext& cpu = {});

// Weights of both signs; depth ones small, so that no part dominates.
RasterImages MakeWeights(const RasterScene& scene, uint64_t seed);

}  // namespace gwm::kernels

#endif  // GWM_TESTS_KERNELS_RASTER_SCENE_H_
