#include "engine/train/losses.h"

#include "engine/base/gpu_stream.h"
#include "engine/model/set_points.h"
#include "engine/scene/render.h"
#include "kernels/nearest.h"

namespace gwm {
namespace {

class NearestFunction : public torch::autograd::Function<NearestFunction> {
 public:
  static torch::autograd::variable_list forward(torch::autograd::AutogradContext* context,
                                                const torch::Tensor& queries,
                                                const torch::Tensor& targets) {
    const auto found = NearestOf(queries, targets);
    context->save_for_backward({queries.contiguous(), targets.contiguous(), found.index});
    context->mark_non_differentiable({found.index});
    return {found.sqdist, found.index};
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list grads) {
    const auto saved = context->get_saved_variables();
    auto grad = grads[0].contiguous();
    auto grad_queries = torch::zeros_like(saved[0]);
    auto grad_targets = torch::zeros_like(saved[1]);
    kernels::NearestBackwardArgs args;
    args.queries = saved[0].data_ptr<float>();
    args.targets = saved[1].data_ptr<float>();
    args.index = saved[2].data_ptr<int64_t>();
    args.grad_sqdist = grad.data_ptr<float>();
    args.batch = saved[0].size(0);
    args.num_queries = saved[0].size(1);
    args.num_targets = saved[1].size(1);
    args.dims = saved[0].size(2);
    args.grad_queries = grad_queries.data_ptr<float>();
    args.grad_targets = grad_targets.data_ptr<float>();
    CheckKernel(grad.is_cuda() ? kernels::NearestBackwardCuda(args, CurrentGpuStream(grad.device()))
                               : kernels::NearestBackward(args),
                "gradient of nearest neighbours");
    return {grad_queries, grad_targets};
  }
};

// [B, N, 11] log-scale, sign-fixed unit quaternion, colour, opacity.
torch::Tensor OtherFeatures(const Gaussians& g) {
  auto sign = torch::where(g.quats.slice(-1, 0, 1) < 0, -1.0, 1.0);
  auto quats = torch::nn::functional::normalize(
      g.quats * sign, torch::nn::functional::NormalizeFuncOptions().dim(-1));
  return torch::cat({g.log_scales, quats, g.rgb0(), g.opacities().unsqueeze(-1)}, -1);
}

torch::Tensor SquareAndAbs(const torch::Tensor& d) { return 5.0 * d.square() + 0.2 * d.abs(); }

}  // namespace

Nearest NearestTargets(const torch::Tensor& queries, const torch::Tensor& targets) {
  const auto where = KernelDevice(queries.device());
  const auto out = NearestFunction::apply(queries.to(where), targets.to(where));
  return {out[0].to(queries.device()), out[1].to(queries.device())};
}

torch::Tensor ChamferLoss(const torch::Tensor& x, const torch::Tensor& y) {
  return NearestTargets(x, y).sqdist.mean() + NearestTargets(y, x).sqdist.mean();
}

torch::Tensor KlLoss(const Posterior& posterior) {
  return 0.5 * (posterior.mean.square() + posterior.log_var.exp() - 1.0 - posterior.log_var).mean();
}

torch::Tensor MatchedFeatureLoss(const Gaussians& x, const Gaussians& y) {
  auto x_to_y = NearestTargets(x.means.detach(), y.means.detach()).index;
  auto y_to_x = NearestTargets(y.means.detach(), x.means.detach()).index;
  auto fx = OtherFeatures(x);
  auto fy = OtherFeatures(y);
  return (fx - GatherPoints(fy, x_to_y)).abs().mean() +
         (fy - GatherPoints(fx, y_to_x)).abs().mean();
}

torch::Tensor ChangedWeight(const torch::Tensor& pixels, const torch::Tensor& reset, double extra) {
  auto change = (pixels - reset).slice(2, 0, 3).abs().amax(2, /*keepdim=*/true);
  return 1.0 + extra * (change > 10.0 / 255.0).to(pixels.dtype());
}

torch::Tensor PixelLoss(const torch::Tensor& decoded, const torch::Tensor& target,
                        const torch::Tensor& weight, double depth) {
  auto d = decoded - target;
  auto colour = (weight * SquareAndAbs(d.slice(2, 0, 3))).mean();
  return colour + depth * (weight * SquareAndAbs(0.5 * d.slice(2, 3, 4))).mean();
}

torch::Tensor RenderedLoss(const Gaussians& gaussians, const SceneBatch& scene,
                           const torch::Tensor& pixels, const torch::Tensor& weight, int64_t rows) {
  torch::Tensor sum;
  for (int64_t b = 0; b < rows; ++b) {
    const Cameras cameras{scene.intrinsics[b], scene.world_from_cam[b], scene.height, scene.width};
    auto image = Render(gaussians[b], cameras).rgb.permute({0, 3, 1, 2});  // [V, 3, H, W]
    auto error = (weight[b] * (image - pixels[b].slice(1, 0, 3)).abs()).mean();
    sum = sum.defined() ? sum + error : error;
  }
  return sum / static_cast<double>(rows);
}

}  // namespace gwm
