#include "tests/kernels/raster_scene.h"

#include <gtest/gtest.h>

#include <cmath>

#include "kernels/gaussian_math.h"
#include "tests/kernels/test_support.h"

namespace gwm::kernels {
namespace {

constexpr float kFocalPerWidth = 0.9f;
constexpr float kDistanceM = 2.0f;

// A camera at about kDistanceM from the origin that looks at it, turned a little at random.
void AddCamera(const SceneSpec& spec, Lcg* lcg, RasterScene* scene) {
  const float quat[4] = {1, lcg->Uniform(-.2f, .2f), lcg->Uniform(-.2f, .2f),
                         lcg->Uniform(-.3f, .3f)};
  float rotation[9];
  QuatToRotation(quat, rotation);
  const float translation[3] = {lcg->Uniform(-.1f, .1f), lcg->Uniform(-.1f, .1f), kDistanceM};
  for (int i = 0; i < 3; ++i) {
    for (int j = 0; j < 3; ++j) scene->viewmats.push_back(rotation[3 * i + j]);
    scene->viewmats.push_back(translation[i]);
  }
  scene->viewmats.insert(scene->viewmats.end(), {0, 0, 0, 1});
  const float focal = kFocalPerWidth * static_cast<float>(spec.width);
  scene->intrinsics.insert(scene->intrinsics.end(),
                           {focal, 0, .47f * static_cast<float>(spec.width), 0, 1.05f * focal,
                            .53f * static_cast<float>(spec.height), 0, 0, 1});
  for (int c = 0; c < 3; ++c) scene->background.push_back(lcg->Uniform(0, 1));
}

void AddGaussian(const SceneSpec& spec, Lcg* lcg, RasterScene* scene) {
  // Wider than the image, so that some lie beyond its edge.
  const float extent = .7f * kDistanceM / kFocalPerWidth;
  scene->means.push_back(lcg->Uniform(-extent, extent));
  scene->means.push_back(lcg->Uniform(-extent, extent));
  scene->means.push_back(lcg->Uniform(-.8f, .8f));
  for (int c = 0; c < 4; ++c) scene->quats.push_back(lcg->Normal());
  const float sigma_m =
      spec.sigma_px * kDistanceM / (kFocalPerWidth * static_cast<float>(spec.width));
  for (int c = 0; c < 3; ++c) scene->scales.push_back(sigma_m * std::exp(.5f * lcg->Normal()));
  scene->opacities.push_back(lcg->Uniform(.1f, spec.max_opacity));
  const int channels = spec.sh_degree < 0 ? 3 : 3 * (spec.sh_degree + 1) * (spec.sh_degree + 1);
  for (int c = 0; c < channels; ++c) {
    scene->colors.push_back(spec.sh_degree < 0 ? lcg->Uniform(0, 1) : .5f * lcg->Normal());
  }
}

}  // namespace

GaussianInputs RasterScene::gaussian_inputs() const {
  GaussianInputs inputs;
  inputs.means = means.data();
  inputs.quats = quats.data();
  inputs.scales = scales.data();
  inputs.opacities = opacities.data();
  inputs.colors = colors.data();
  inputs.num_scenes = scenes;
  inputs.num_gaussians = gaussians;
  inputs.sh_degree = sh_degree;
  inputs.sh_coefficients = sh_coefficients;
  return inputs;
}

CameraInputs RasterScene::camera_inputs() const {
  CameraInputs inputs;
  inputs.viewmats = viewmats.data();
  inputs.intrinsics = intrinsics.data();
  inputs.views_per_scene = views_per_scene;
  inputs.width = width;
  inputs.height = height;
  return inputs;
}

RasterScene MakeScene(const SceneSpec& spec) {
  Lcg lcg(spec.seed);
  RasterScene scene;
  scene.scenes = spec.scenes;
  scene.gaussians = spec.gaussians;
  scene.views_per_scene = spec.views_per_scene;
  scene.width = spec.width;
  scene.height = spec.height;
  scene.sh_degree = spec.sh_degree;
  scene.sh_coefficients = (spec.sh_degree + 1) * (spec.sh_degree + 1);
  scene.options = spec.options;
  for (int64_t v = 0; v < scene.views(); ++v) AddCamera(spec, &lcg, &scene);
  for (int64_t g = 0; g < spec.scenes * spec.gaussians; ++g) AddGaussian(spec, &lcg, &scene);
  return scene;
}

RasterImages Render(const RasterScene& scene, RenderScratch* scratch, const CpuContext& cpu) {
  RasterImages images = {std::vector<float>(3 * scene.pixels(), NAN),
                         std::vector<float>(scene.pixels(), NAN),
                         std::vector<float>(scene.pixels(), NAN)};
  const RasterOutputs out = {images.rgb.data(), images.alpha.data(), images.depth.data()};
  EXPECT_EQ(RenderForward(scene.gaussian_inputs(), scene.camera_inputs(), scene.options,
                          scene.background.data(), out, scratch, cpu),
            KernelStatus::kOk);
  return images;
}

SceneGradients RenderGradients(const RasterScene& scene, const RasterImages& weights,
                               RenderScratch* scratch, const CpuContext& cpu) {
  Render(scene, scratch, cpu);
  SceneGradients g = {
      std::vector<float>(scene.means.size()),  std::vector<float>(scene.quats.size()),
      std::vector<float>(scene.scales.size()), std::vector<float>(scene.opacities.size()),
      std::vector<float>(scene.colors.size()), std::vector<float>(scene.background.size())};
  const RasterOutputGrads incoming = {weights.rgb.data(), weights.alpha.data(),
                                      weights.depth.data()};
  const GaussianGrads out = {g.means.data(), g.quats.data(), g.scales.data(), g.opacities.data(),
                             g.colors.data()};
  EXPECT_EQ(
      RenderBackward(scene.gaussian_inputs(), scene.camera_inputs(), scene.options,
                     scene.background.data(), incoming, out, g.background.data(), scratch, cpu),
      KernelStatus::kOk);
  return g;
}

RasterImages MakeWeights(const RasterScene& scene, uint64_t seed) {
  Lcg lcg(seed);
  return {UniformFloats(&lcg, 3 * scene.pixels(), -1, 1),
          UniformFloats(&lcg, scene.pixels(), -1, 1),
          UniformFloats(&lcg, scene.pixels(), -.1f, .1f)};
}

}  // namespace gwm::kernels
