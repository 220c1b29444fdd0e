#include "engine/perception/rgbd.h"

#include <cmath>
#include <vector>

#include "engine/base/shape.h"

namespace gwm {
namespace {

void CheckViews(const Views& views) {
  const Cameras& cameras = views.cameras;
  cameras.Check();
  CheckTrailing(views.rgb, {cameras.count(), cameras.height, cameras.width, 3}, "rgb");
  CheckTrailing(views.depth, {cameras.count(), cameras.height, cameras.width}, "depth");
  TORCH_CHECK_VALUE(views.rgb.sizes().slice(0, views.rgb.dim() - 1) == views.depth.sizes(),
                    "rgb is ", Describe(views.rgb), ", depth is ", Describe(views.depth),
                    ": their dimensions before the channels differ");
}

// sqrt(fx fy) [..., V, 1, 1]
torch::Tensor FocalLength(const Cameras& cameras) {
  const torch::Tensor& k = cameras.intrinsics;
  return (k.select(-2, 0).select(-1, 0) * k.select(-2, 1).select(-1, 1))
      .sqrt()
      .unsqueeze(-1)
      .unsqueeze(-1);
}

}  // namespace

torch::Tensor DepthInMetres(const torch::Tensor& depth) {
  if (depth.scalar_type() == torch::kUInt16) return depth.to(torch::kFloat32) * 1e-3;
  TORCH_CHECK_VALUE(depth.scalar_type() == torch::kFloat32, "depth is ", Describe(depth),
                    ", expected UInt16 millimetres or Float metres");
  return torch::where(depth.isfinite().logical_and(depth > 0), depth, torch::zeros_like(depth));
}

torch::Tensor RgbInUnit(const torch::Tensor& rgb) {
  if (rgb.scalar_type() == torch::kUInt8) return rgb.to(torch::kFloat32) / 255;
  TORCH_CHECK_VALUE(rgb.scalar_type() == torch::kFloat32, "rgb is ", Describe(rgb),
                    ", expected Byte or Float in [0, 1]");
  return rgb;
}

Gaussians GaussiansFromRgbd(const Views& views, const RgbdOptions& options) {
  CheckViews(views);
  const torch::Tensor measured = DepthInMetres(views.depth);
  const torch::Tensor depth =
      torch::where(measured > 0, measured, torch::full_like(measured, options.far_m));
  // [..., V, H, W, ...] -> [..., V*H*W, ...]
  const auto flatten = [](const torch::Tensor& x, int64_t first) {
    return x.flatten(first, first + 2);
  };
  Gaussians result;
  result.means = flatten(Unproject(depth, views.cameras), -4);
  const torch::Tensor log_scale =
      flatten((depth * options.scale_px / FocalLength(views.cameras)).log(), -3);
  result.log_scales = log_scale.unsqueeze(-1).expand_as(result.means).contiguous();
  std::vector<int64_t> quat_shape = result.means.sizes().vec();
  quat_shape.back() = 4;
  result.quats = torch::zeros(quat_shape, result.means.options().requires_grad(false));
  result.quats.select(-1, 0).fill_(1);
  result.sh = ShFromRgb(flatten(RgbInUnit(views.rgb), -4)).unsqueeze(-2);
  const double logit = std::log(options.opacity / (1 - options.opacity));
  result.opacity_logits = torch::full(log_scale.sizes(), logit, log_scale.options().requires_grad(false));
  return result;
}

}  // namespace gwm
