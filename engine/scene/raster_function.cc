#include "engine/scene/raster_function.h"

#include "engine/scene/raster_pass.h"

namespace gwm {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

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
    return pass->Forward(inputs);
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    const variable_list saved = context->get_saved_variables();
    const auto holder = context->saved_data["pass"].toCapsule();
    for (torch::Tensor& grad : grads) {
      if (grad.defined()) grad = grad.to(torch::kFloat32).contiguous();
    }
    variable_list result(8);
    for (int i = kMeans; i <= kSh; ++i) result[i] = torch::zeros_like(saved[i]);
    static_cast<RasterPass&>(*holder).Backward(saved, grads, result);
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
  const variable_list tensors = {inputs.means, inputs.quats,    inputs.scales,    inputs.opacities,
                                 inputs.sh,    inputs.viewmats, inputs.intrinsics};
  const bool gradient = NeedsGradient(tensors);
  const RasterPassPtr pass =
      inputs.means.is_cuda() ? MakeCudaRasterPass(inputs.height, inputs.width, options, gradient)
                             : MakeCpuRasterPass(inputs.height, inputs.width, options);
  const variable_list images =
      gradient ? RasterFunction::apply(tensors[kMeans], tensors[kQuats], tensors[kScales],
                                       tensors[kOpacities], tensors[kSh], tensors[kViewmats],
                                       tensors[kIntrinsics], pass)
               : pass->Forward(tensors);
  return {images[0], images[1], images[2]};
}

}  // namespace gwm
