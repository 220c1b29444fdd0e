// Scenes and cameras for tests: every value follows from the seed.
#ifndef GWM_TESTS_ENGINE_SCENE_SCENE_BUILDERS_H_
#define GWM_TESTS_ENGINE_SCENE_SCENE_BUILDERS_H_

#include <ATen/CPUGeneratorImpl.h>
#include <torch/torch.h>

#include <cmath>
#include <initializer_list>

#include "engine/scene/camera.h"
#include "engine/scene/gaussians.h"

namespace gwm::testing {

inline torch::Generator SeededGenerator(uint64_t seed) {
  return torch::make_generator<at::CPUGeneratorImpl>(seed);
}

// N Gaussians of a few centimetres in a cube of 1 m around the origin.
inline Gaussians RandomScene(uint64_t seed, int64_t n, int64_t degree = 0) {
  torch::Generator generator = SeededGenerator(seed);
  const auto normal = [&](std::initializer_list<int64_t> shape) {
    return torch::randn(shape, generator);
  };
  return {torch::rand({n, 3}, generator) - 0.5, normal({n, 3}) * 0.4 - 2.8, normal({n, 4}),
          normal({n, (degree + 1) * (degree + 1), 3}) * 0.4, normal({n})};
}

// A camera 2 m from the origin that looks at it.
inline Camera TestCamera(int width = 40, int height = 24, double angle_rad = 0.4) {
  Camera camera;
  camera.width = width;
  camera.height = height;
  const float focal = 1.2f * static_cast<float>(width);
  camera.intrinsics = {
      focal, 0, static_cast<float>(width) / 2, 0, focal, static_cast<float>(height) / 2, 0, 0, 1};
  return LookAt(camera, {2 * std::cos(angle_rad), 2 * std::sin(angle_rad), 0.7}, {0, 0, 0});
}

}  // namespace gwm::testing

#endif  // GWM_TESTS_ENGINE_SCENE_SCENE_BUILDERS_H_
