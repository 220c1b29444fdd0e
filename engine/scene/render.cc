#include "engine/scene/render.h"

#include <cmath>
#include <vector>

#include "engine/base/gpu_stream.h"
#include "engine/base/shape.h"
#include "engine/scene/raster_function.h"
#include "kernels/pack_u8.h"

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

// All on a device of the kernels.
RenderResult RenderActivated(const Gaussians& gaussians, const Cameras& cameras,
                             SplatOptions options) {
  if (options.backgrounds.defined()) {
    options.backgrounds = options.backgrounds.to(gaussians.device()).contiguous();
  }
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
  const torch::Device own = gaussians.device(), where = KernelDevice(own);
  const auto image = RenderActivated(gaussians.To(where), per_scene.To(where), options);
  return {image.rgb.to(own), image.depth.to(own), image.alpha.to(own)};
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
  const torch::Tensor values =
      image.detach().to(KernelDevice(image.device()), torch::kFloat).contiguous();
  torch::Tensor bytes = torch::empty(values.sizes(), values.options().dtype(torch::kUInt8));
  const kernels::PackU8Args args = {.image = values.const_data_ptr<float>(),
                                    .rows = 1,
                                    .columns = values.numel(),
                                    .out = bytes.mutable_data_ptr<uint8_t>(),
                                    .out_row_bytes = values.numel()};
  CheckKernel(values.is_cuda() ? kernels::PackU8Cuda(args, CurrentGpuStream(values.device()))
                               : kernels::PackU8(args),
              "image to bytes");
  return bytes.to(image.device());
}

}  // namespace gwm
