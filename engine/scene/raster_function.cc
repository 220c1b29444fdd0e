#include "engine/scene/raster_function.h"

#include <cmath>
#include <utility>
#include <vector>

#include "kernels/render.h"

namespace gwm {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// What the backward pass needs besides the saved tensors.
struct RasterPass : torch::CustomClassHolder {
  int64_t height = 0;
  int64_t width = 0;
  SplatOptions options;
  kernels::RenderScratch scratch;
};
using RasterPassPtr = c10::intrusive_ptr<RasterPass>;

const float* Data(const torch::Tensor& tensor) { return tensor.const_data_ptr<float>(); }

void CheckKernel(kernels::KernelStatus status) {
  TORCH_CHECK(status == kernels::KernelStatus::kOk,
              "renderer: ", kernels::KernelStatusName(status));
}

// The order of the tensors in forward's arguments and in the saved list.
enum SavedTensor { kMeans, kQuats, kScales, kOpacities, kSh, kViewmats, kIntrinsics };

kernels::GaussianInputs GaussianInputsOf(const variable_list& saved) {
  const int64_t coefficients = saved[kSh].size(2);
  return {.means = Data(saved[kMeans]),
          .quats = Data(saved[kQuats]),
          .scales = Data(saved[kScales]),
          .opacities = Data(saved[kOpacities]),
          .colors = Data(saved[kSh]),
          .num_scenes = saved[kMeans].size(0),
          .num_gaussians = saved[kMeans].size(1),
          .sh_degree = static_cast<int>(std::lround(std::sqrt(coefficients))) - 1,
          .sh_coefficients = static_cast<int>(coefficients)};
}

kernels::CameraInputs CameraInputsOf(const variable_list& saved, const RasterPass& pass) {
  return {.viewmats = Data(saved[kViewmats]),
          .intrinsics = Data(saved[kIntrinsics]),
          .views_per_scene = saved[kViewmats].size(1),
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

kernels::CpuContext ContextOf(const SplatOptions& options) {
  kernels::CpuContext context;
  context.pool = options.pool.get();
  return context;
}

// [B * V, 3]
std::vector<float> Backgrounds(const variable_list& saved, const SplatOptions& options) {
  std::vector<float> result;
  const int64_t views = saved[kViewmats].size(1);
  for (int64_t i = 0; i < saved[kViewmats].size(0) * views; ++i) {
    const float* colour = options.backgrounds.defined()
                              ? Data(options.backgrounds) + 3 * (i / views)
                              : options.background.data();
    result.insert(result.end(), colour, colour + 3);
  }
  return result;
}

// {rgb, depth, alpha}; fills the pass's scratch.
variable_list RunForward(const variable_list& inputs, RasterPass& pass) {
  const int64_t scenes = inputs[kViewmats].size(0), views = inputs[kViewmats].size(1);
  const auto options = torch::TensorOptions(torch::kFloat32);
  torch::Tensor rgb = torch::empty({scenes, views, pass.height, pass.width, 3}, options);
  torch::Tensor depth = torch::empty({scenes, views, pass.height, pass.width}, options);
  torch::Tensor alpha = torch::empty_like(depth);
  const std::vector<float> backgrounds = Backgrounds(inputs, pass.options);
  CheckKernel(kernels::RenderForward(GaussianInputsOf(inputs), CameraInputsOf(inputs, pass),
                                     KernelOptions(pass.options), backgrounds.data(),
                                     {.rgb = rgb.data_ptr<float>(),
                                      .alpha = alpha.data_ptr<float>(),
                                      .depth = depth.data_ptr<float>()},
                                     &pass.scratch, ContextOf(pass.options)));
  return {rgb, depth, alpha};
}

class RasterFunction : public torch::autograd::Function<RasterFunction> {
 public:
  static variable_list forward(AutogradContext* context, const torch::Tensor& means,
                               const torch::Tensor& quats, const torch::Tensor& scales,
                               const torch::Tensor& opacities, const torch::Tensor& sh,
                               const torch::Tensor& viewmats, const torch::Tensor& intrinsics,
                               const RasterPassPtr& pass) {
    const variable_list inputs = {means, quats, scales, opacities, sh, viewmats, intrinsics};
    context->save_for_backward(inputs);
    context->saved_data["pass"] = c10::IValue::make_capsule(pass);
    return RunForward(inputs, *pass);
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    const variable_list saved = context->get_saved_variables();
    const auto holder = context->saved_data["pass"].toCapsule();
    auto& pass = static_cast<RasterPass&>(*holder);
    for (torch::Tensor& grad : grads) {
      if (grad.defined()) grad = grad.to(torch::kFloat32).contiguous();
    }
    const auto grad_data = [&](int index) {
      return grads[index].defined() ? Data(grads[index]) : nullptr;
    };
    variable_list result(8);
    for (int i = kMeans; i <= kSh; ++i) result[i] = torch::zeros_like(saved[i]);
    const std::vector<float> backgrounds = Backgrounds(saved, pass.options);
    CheckKernel(kernels::RenderBackward(
        GaussianInputsOf(saved), CameraInputsOf(saved, pass), KernelOptions(pass.options),
        backgrounds.data(), {.rgb = grad_data(0), .alpha = grad_data(2), .depth = grad_data(1)},
        {.means = result[kMeans].data_ptr<float>(),
         .quats = result[kQuats].data_ptr<float>(),
         .scales = result[kScales].data_ptr<float>(),
         .opacities = result[kOpacities].data_ptr<float>(),
         .colors = result[kSh].data_ptr<float>()},
        /*grad_background=*/nullptr, &pass.scratch, ContextOf(pass.options)));
    return result;
  }
};

bool NeedsGradient(const variable_list& inputs) {
  if (!torch::GradMode::is_enabled()) return false;
  for (int i = kMeans; i <= kSh; ++i) {
    if (inputs[i].requires_grad()) return true;
  }
  return false;
}

}  // namespace

RenderResult Rasterise(const RasterInputs& inputs, const SplatOptions& options) {
  const auto pass = c10::make_intrusive<RasterPass>();
  pass->height = inputs.height;
  pass->width = inputs.width;
  pass->options = options;
  const variable_list tensors = {inputs.means, inputs.quats,    inputs.scales,    inputs.opacities,
                                 inputs.sh,    inputs.viewmats, inputs.intrinsics};
  const variable_list images =
      NeedsGradient(tensors)
          ? RasterFunction::apply(tensors[kMeans], tensors[kQuats], tensors[kScales],
                                  tensors[kOpacities], tensors[kSh], tensors[kViewmats],
                                  tensors[kIntrinsics], pass)
          : RunForward(tensors, *pass);
  return {images[0], images[1], images[2]};
}

}  // namespace gwm
