#include "engine/model/pixel_frame.h"

#include "engine/base/shape.h"
#include "engine/perception/rgbd.h"

namespace gwm {

torch::Tensor PixelsFromRgbd(const torch::Tensor& rgb, const torch::Tensor& depth_m, double far_m) {
  CheckShape(rgb, {kAny, kAny, kAny, kAny, 3}, "rgb");
  auto colour = RgbInUnit(rgb).permute({0, 1, 4, 2, 3});
  auto inverse = torch::where(depth_m > 0, depth_m, torch::full({}, far_m)).reciprocal();
  return torch::cat({colour, inverse.unsqueeze(2)}, 2);
}

torch::Tensor PixelsFromScene(const SceneBatch& scene) {
  const std::vector<int64_t> shape = {scene.batch(), scene.views(), scene.height, scene.width, 3};
  auto colour = scene.gaussians.rgb0().reshape(shape);
  auto means = scene.gaussians.means.reshape(shape);
  auto pose = scene.world_from_cam.reshape({shape[0], shape[1], 1, 1, 4, 4});
  auto axis_z = pose.slice(-2, 0, 3).select(-1, 2);  // the optical axis in the world
  auto eye = pose.slice(-2, 0, 3).select(-1, 3);
  auto depth = ((means - eye) * axis_z).sum(-1, /*keepdim=*/true);
  return torch::cat({colour, depth.reciprocal()}, -1).permute({0, 1, 4, 2, 3}).contiguous();
}

SceneBatch FitToOwnViews(SceneBatch scene, int64_t passes) {
  if (passes == 0) return scene;
  const auto images =
      scene.gaussians.rgb0().reshape({scene.batch(), scene.views(), scene.height, scene.width, 3});
  const Cameras cameras{scene.intrinsics, scene.world_from_cam, scene.height, scene.width};
  scene.gaussians = FitColours(scene.gaussians, images, cameras, static_cast<int>(passes));
  return scene;
}

Gaussians GaussiansFromPixels(const torch::Tensor& pixels, const SceneBatch& like,
                              double gaussian_size) {
  const RgbdOptions options{.scale_px = gaussian_size};
  std::vector<Gaussians> rows;
  for (int64_t b = 0; b < pixels.size(0); ++b) {
    const auto row = pixels[b];  // [V, 4, H, W]
    Views views;
    views.rgb = row.slice(1, 0, 3).permute({0, 2, 3, 1});
    // Inverse depths outside the range of sane scenes come from a network, not from a camera:
    // between 2 cm and 1 km.
    views.depth = row.select(1, 3).clamp(1e-3, 50.0).reciprocal();
    views.cameras = {like.intrinsics[b], like.world_from_cam[b], like.height, like.width};
    rows.push_back(GaussiansFromRgbd(views, options));
  }
  return Stack(rows);
}

SceneBatch SceneFromPixels(const torch::Tensor& pixels, const torch::Tensor& intrinsics,
                           const torch::Tensor& world_from_cam, double gaussian_size) {
  SceneBatch scene;
  scene.intrinsics = intrinsics;
  scene.world_from_cam = world_from_cam;
  scene.height = pixels.size(-2);
  scene.width = pixels.size(-1);
  scene.gaussians = GaussiansFromPixels(pixels, scene, gaussian_size);
  return scene;
}

SplatOptions StateRenderOptions(const Gaussians& gaussians) {
  const auto mean = gaussians.rgb0().detach().clamp(0, 1).mean(-2).to(torch::kCPU).contiguous();
  const float* rgb = mean.data_ptr<float>();
  return {.background = {rgb[0], rgb[1], rgb[2]}};
}

}  // namespace gwm
