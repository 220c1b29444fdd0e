#include "engine/scene/render.h"

#include <cmath>
#include <vector>

#include "engine/base/shape.h"
#include "engine/scene/raster_function.h"

namespace gwm {
namespace {

void CheckOptions(const SplatOptions& options) {
  TORCH_CHECK_VALUE(std::isfinite(options.eps2d) && options.eps2d >= 0, "eps2d is ", options.eps2d,
                    ", expected a finite number >= 0");
  TORCH_CHECK_VALUE(options.max_alpha > 0 && options.max_alpha < 1, "max_alpha is ",
                    options.max_alpha, ", expected a number in (0, 1)");
  TORCH_CHECK_VALUE(options.near_m > 0 && options.near_m < options.far_m, "near_m is ",
                    options.near_m, " and far_m is ", options.far_m, ", expected 0 < near < far");
}

// Cameras of a batch of scenes: shared ones are repeated.
Cameras PerScene(const Cameras& cameras, int64_t scenes) {
  if (cameras.intrinsics.dim() == 4) {
    TORCH_CHECK_VALUE(cameras.intrinsics.size(0) == scenes, "cameras of ",
                      cameras.intrinsics.size(0), " scenes for ", scenes, " scenes");
    return cameras;
  }
  CheckShape(cameras.intrinsics, {kAny, 3, 3}, "intrinsics");
  return {cameras.intrinsics.unsqueeze(0).expand({scenes, -1, -1, -1}),
          cameras.world_from_cam.unsqueeze(0).expand({scenes, -1, -1, -1}), cameras.height,
          cameras.width};
}

// Scene by scene: vectorised functions give an element other bits in the tail of a tensor than
// inside it, and a scene's picture must not depend on how many others share its batch.
template <typename Activate>
torch::Tensor ActivateEach(const torch::Tensor& values, Activate activate) {
  if (values.size(0) == 1) return activate(values.contiguous());
  std::vector<torch::Tensor> scenes;
  for (int64_t b = 0; b < values.size(0); ++b) scenes.push_back(activate(values[b].contiguous()));
  return torch::stack(scenes);
}

RenderResult RenderOnCpu(const Gaussians& gaussians, const Cameras& cameras, SplatOptions options) {
  if (options.backgrounds.defined()) options.backgrounds = options.backgrounds.contiguous();
  return Rasterise(
      {.means = gaussians.means.contiguous(),
       .quats = gaussians.quats.contiguous(),
       .scales = ActivateEach(gaussians.log_scales, [](const torch::Tensor& x) { return x.exp(); }),
       .opacities = ActivateEach(gaussians.opacity_logits,
                                 [](const torch::Tensor& x) { return x.sigmoid(); }),
       .sh = gaussians.sh.contiguous(),
       .viewmats = cameras.cam_from_world().contiguous(),
       .intrinsics = cameras.intrinsics.contiguous(),
       .height = cameras.height,
       .width = cameras.width},
      options);
}

RenderResult RenderEachPlainly(const Gaussians& gaussians, const Cameras& cameras,
                               const SplatOptions& options) {
  std::vector<torch::Tensor> rgb, depth, alpha;
  SplatOptions own = options;
  for (int64_t b = 0; b < gaussians.means.size(0); ++b) {
    if (options.backgrounds.defined()) own.backgrounds = options.backgrounds.slice(0, b, b + 1);
    const RenderResult one = RenderPlain(gaussians[b], cameras[b], own);
    rgb.push_back(one.rgb);
    depth.push_back(one.depth);
    alpha.push_back(one.alpha);
  }
  return {torch::stack(rgb), torch::stack(depth), torch::stack(alpha)};
}

}  // namespace

RenderResult RenderBatch(const Gaussians& gaussians, const Cameras& cameras,
                         const SplatOptions& options) {
  gaussians.Check();
  cameras.Check();
  CheckOptions(options);
  CheckShape(gaussians.means, {kAny, kAny, 3}, "means");
  TORCH_CHECK_VALUE(gaussians.device() == cameras.device(), "Gaussians on ", gaussians.device(),
                    ", cameras on ", cameras.device());
  TORCH_CHECK_VALUE(gaussians.means.size(0) > 0, "no scenes to render");
  if (options.backgrounds.defined()) {
    CheckShape(options.backgrounds, {gaussians.means.size(0), 3}, "backgrounds");
    CheckDType(options.backgrounds, torch::kFloat32, "backgrounds");
    TORCH_CHECK_VALUE(options.backgrounds.device() == gaussians.device(), "backgrounds on ",
                      options.backgrounds.device(), ", Gaussians on ", gaussians.device());
  }
  const Cameras per_scene = PerScene(cameras, gaussians.means.size(0));
  return gaussians.device().is_cpu() ? RenderOnCpu(gaussians, per_scene, options)
                                     : RenderEachPlainly(gaussians, per_scene, options);
}

RenderResult Render(const Gaussians& gaussians, const Cameras& cameras,
                    const SplatOptions& options) {
  CheckShape(gaussians.means, {kAny, 3}, "means");
  CheckShape(cameras.intrinsics, {kAny, 3, 3}, "intrinsics");
  gaussians.Check();
  const Gaussians batch = Stack(std::span<const Gaussians>(&gaussians, 1));
  const RenderResult result = RenderBatch(batch, cameras, options);
  return {result.rgb[0], result.depth[0], result.alpha[0]};
}

torch::Tensor ToU8(const torch::Tensor& image) {
  return (image * 255).round().clamp(0, 255).to(torch::kUInt8);
}

}  // namespace gwm
