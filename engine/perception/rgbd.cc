#include "engine/perception/rgbd.h"

#include <cmath>
#include <vector>

#include "engine/base/shape.h"
#include "engine/scene/render.h"

namespace gwm {
namespace {

constexpr int64_t kHoleNeighbours = 6;  // of 8; a straight silhouette leaves 3, a corner 5
constexpr double kColourMargin = 0.1;

Gaussians WithOneBatchDimension(const Gaussians& g, int64_t scenes) {
  const int64_t n = g.count();
  return {g.means.reshape({scenes, n, 3}), g.log_scales.reshape({scenes, n, 3}),
          g.quats.reshape({scenes, n, 4}), g.sh.reshape({scenes, n, g.sh.size(-2), 3}),
          g.opacity_logits.reshape({scenes, n})};
}

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

torch::Tensor FillDepthHoles(const torch::Tensor& depth_m) {
  CheckTrailing(depth_m, {kAny, kAny}, "depth_m");
  const int64_t height = depth_m.size(-2), width = depth_m.size(-1);
  const torch::Tensor images = depth_m.reshape({-1, 1, height, width});
  const torch::Tensor padded = torch::replication_pad2d(images, {1, 1, 1, 1});
  const torch::Tensor around =
      torch::im2col(padded, {3, 3}, {1, 1}, {0, 0}, {1, 1}).view({-1, 9, height, width});
  const torch::Tensor valid = around > 0;
  const torch::Tensor median = std::get<0>(torch::nanmedian(
      torch::where(valid, around, torch::full_like(around, std::nan(""))), /*dim=*/1));
  const torch::Tensor hole =
      (around.select(1, 4) <= 0).logical_and(valid.sum(1) >= kHoleNeighbours);
  return torch::where(hole, median, around.select(1, 4)).view(depth_m.sizes());
}

torch::Tensor MeanColour(const torch::Tensor& rgb) {
  CheckTrailing(rgb, {kAny, kAny, kAny, 3}, "rgb");
  return RgbInUnit(rgb).mean({-4, -3, -2});
}

Gaussians FitColours(const Gaussians& gaussians, const torch::Tensor& rgb, const Cameras& cameras,
                     int passes) {
  torch::NoGradGuard no_grad;
  cameras.Check();
  CheckTrailing(rgb, {cameras.count(), cameras.height, cameras.width, 3}, "rgb");
  const torch::Tensor target =
      RgbInUnit(rgb).reshape({-1, cameras.count(), cameras.height, cameras.width, 3});
  const int64_t scenes = target.size(0);
  Gaussians batch = WithOneBatchDimension(gaussians, scenes);
  const bool shared = cameras.intrinsics.dim() == 3;
  const Cameras flat =
      shared ? cameras
             : Cameras{cameras.intrinsics.flatten(0, -4), cameras.world_from_cam.flatten(0, -4),
                       cameras.height, cameras.width};
  const SplatOptions options{.backgrounds = MeanColour(target).contiguous()};
  torch::Tensor colours = target;
  for (int pass = 0; pass < passes; ++pass) {
    const torch::Tensor residual = target - RenderBatch(batch, flat, options).rgb;
    // The limit keeps Gaussians half hidden behind an edge from taking the opposite colour of what
    // hides them: a camera that moves would see them as a bright seam.
    colours = target + (colours + residual - target).clamp(-kColourMargin, kColourMargin);
    batch.sh = ShFromRgb(colours.flatten(1, 3)).unsqueeze(-2);
  }
  Gaussians result = gaussians;
  result.sh = batch.sh.view(gaussians.sh.sizes());
  return result;
}

Gaussians GaussiansFromRgbd(const Views& views, const RgbdOptions& options) {
  CheckViews(views);
  torch::Tensor measured = DepthInMetres(views.depth);
  for (int pass = 0; pass < options.hole_passes; ++pass) measured = FillDepthHoles(measured);
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
  result.opacity_logits =
      torch::full(log_scale.sizes(), logit, log_scale.options().requires_grad(false));
  return options.colour_passes > 0
             ? FitColours(result, views.rgb, views.cameras, options.colour_passes)
             : result;
}

}  // namespace gwm
