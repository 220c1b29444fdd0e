#include "engine/scene/raster_pass.h"

#include <cmath>
#include <vector>

namespace gwm {
namespace {

const float* Data(const torch::Tensor& tensor) { return tensor.const_data_ptr<float>(); }
const float* DataOrNull(const torch::Tensor& tensor) {
  return tensor.defined() ? Data(tensor) : nullptr;
}

}  // namespace

kernels::GaussianInputs GaussianInputsOf(const RasterPass::Tensors& inputs) {
  const int64_t coefficients = inputs[kSh].size(2);
  return {.means = Data(inputs[kMeans]),
          .quats = Data(inputs[kQuats]),
          .scales = Data(inputs[kScales]),
          .opacities = Data(inputs[kOpacities]),
          .colors = Data(inputs[kSh]),
          .num_scenes = inputs[kMeans].size(0),
          .num_gaussians = inputs[kMeans].size(1),
          .sh_degree = static_cast<int>(std::lround(std::sqrt(coefficients))) - 1,
          .sh_coefficients = static_cast<int>(coefficients)};
}

kernels::CameraInputs CameraInputsOf(const RasterPass::Tensors& inputs, const RasterPass& pass) {
  return {.viewmats = Data(inputs[kViewmats]),
          .intrinsics = Data(inputs[kIntrinsics]),
          .views_per_scene = inputs[kViewmats].size(1),
          .width = static_cast<int>(pass.width),
          .height = static_cast<int>(pass.height)};
}

kernels::RenderOptions KernelOptions(const SplatOptions& options) {
  return {.eps2d = options.eps2d,
          .antialias =
              options.antialiased ? kernels::Antialias::kCompensate : kernels::Antialias::kNone,
          .max_alpha = options.max_alpha,
          .near_plane_m = options.near_m,
          .far_plane_m = options.far_m};
}

kernels::RasterOutputs OutputsOf(const RasterPass::Tensors& images) {
  return {.rgb = images[0].mutable_data_ptr<float>(),
          .alpha = images[2].mutable_data_ptr<float>(),
          .depth = images[1].mutable_data_ptr<float>()};
}

kernels::RasterOutputGrads OutputGradsOf(const RasterPass::Tensors& grads) {
  return {
      .rgb = DataOrNull(grads[0]), .alpha = DataOrNull(grads[2]), .depth = DataOrNull(grads[1])};
}

kernels::GaussianGrads GaussianGradsOf(const RasterPass::Tensors& out) {
  return {.means = out[kMeans].mutable_data_ptr<float>(),
          .quats = out[kQuats].mutable_data_ptr<float>(),
          .scales = out[kScales].mutable_data_ptr<float>(),
          .opacities = out[kOpacities].mutable_data_ptr<float>(),
          .colors = out[kSh].mutable_data_ptr<float>()};
}

RasterPass::Tensors EmptyImages(const RasterPass::Tensors& inputs, const RasterPass& pass) {
  const int64_t scenes = inputs[kViewmats].size(0), views = inputs[kViewmats].size(1);
  const auto options = inputs[kMeans].options();
  torch::Tensor rgb = torch::empty({scenes, views, pass.height, pass.width, 3}, options);
  torch::Tensor depth = torch::empty({scenes, views, pass.height, pass.width}, options);
  return {rgb, depth, torch::empty_like(depth)};
}

torch::Tensor Backgrounds(const RasterPass::Tensors& inputs, const SplatOptions& options) {
  const int64_t scenes = inputs[kViewmats].size(0), views = inputs[kViewmats].size(1);
  if (options.backgrounds.defined()) return options.backgrounds.repeat_interleave(views, 0);
  std::vector<float> colours;
  for (int64_t i = 0; i < scenes * views; ++i) {
    colours.insert(colours.end(), options.background.begin(), options.background.end());
  }
  return torch::tensor(colours).view({-1, 3}).to(inputs[kMeans].device());
}

}  // namespace gwm
