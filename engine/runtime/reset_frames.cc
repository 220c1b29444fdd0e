#include "engine/runtime/reset_frames.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "engine/base/status.h"
#include "engine/base/tensor_convert.h"
#include "engine/model/pixel_frame.h"
#include "engine/perception/rgbd.h"

namespace gwm {
namespace {

std::string Describe(DType dtype, std::span<const int64_t> shape) {
  return absl::StrCat(std::string(DTypeName(dtype)), " [", absl::StrJoin(shape, ", "), "]");
}

absl::Status CheckTensor(const TensorView& tensor, const char* name, DType dtype,
                         const std::vector<int64_t>& shape) {
  const bool same =
      std::equal(tensor.shape.begin(), tensor.shape.end(), shape.begin(), shape.end());
  if (tensor.dtype == dtype && same) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("frames.", name, " is ",
                                                 Describe(tensor.dtype, tensor.shape),
                                                 ", expected ", Describe(dtype, shape)));
}

absl::Status CheckFinite(const torch::Tensor& x, const char* name) {
  if (torch::isfinite(x).all().item<bool>()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("frames.", name, " holds a number that is not finite"));
}

absl::Status CheckCameras(const torch::Tensor& intrinsics, const torch::Tensor& world_from_cam) {
  GWM_RETURN_IF_ERROR(CheckFinite(intrinsics, "intrinsics"));
  GWM_RETURN_IF_ERROR(CheckFinite(world_from_cam, "world_from_cam"));
  auto focal = torch::stack(
      {intrinsics.select(-2, 0).select(-1, 0), intrinsics.select(-2, 1).select(-1, 1)});
  if (focal.min().item<float>() <= 0) {
    return absl::InvalidArgumentError("frames.intrinsics has a focal length that is not positive");
  }
  auto rotation = world_from_cam.slice(-2, 0, 3).slice(-1, 0, 3);
  auto error = (torch::matmul(rotation, rotation.transpose(-1, -2)) - torch::eye(3)).abs().max();
  auto determinant = torch::linalg_det(rotation).min();
  auto last_row =
      (world_from_cam.select(-2, 3) - torch::tensor({0.0F, 0.0F, 0.0F, 1.0F})).abs().max();
  if (error.item<float>() > 1e-3 || determinant.item<float>() < 0 ||
      last_row.item<float>() > 1e-6) {
    return absl::InvalidArgumentError(
        "frames.world_from_cam is not rigid: the upper left 3x3 must be a rotation, the last row 0 "
        "0 0 1");
  }
  return absl::OkStatus();
}

}  // namespace

int64_t ResetHistory(const ModelConfig& config) {
  return std::max(config.dynamics.context_frames, config.dynamics.action_history);
}

absl::StatusOr<ResetFrames> ReadResetFrames(const RgbdFrames& frames, const ModelConfig& config) {
  const int64_t v = config.views, h = config.height, w = config.width;
  const int64_t t = frames.rgb.shape.empty() ? 0 : frames.rgb.shape[0];
  if (t < 1) return absl::InvalidArgumentError("frames.rgb has no frame; at least one is needed");
  GWM_RETURN_IF_ERROR(CheckTensor(frames.rgb, "rgb", DType::kU8, {t, v, h, w, 3}));
  GWM_RETURN_IF_ERROR(CheckTensor(frames.depth_mm, "depth_mm", DType::kU16, {t, v, h, w}));
  GWM_RETURN_IF_ERROR(CheckTensor(frames.intrinsics, "intrinsics", DType::kF32, {v, 3, 3}));
  GWM_RETURN_IF_ERROR(CheckTensor(frames.world_from_cam, "world_from_cam", DType::kF32, {v, 4, 4}));
  auto intrinsics = ToTorch(frames.intrinsics);
  auto world_from_cam = ToTorch(frames.world_from_cam);
  GWM_RETURN_IF_ERROR(CheckCameras(intrinsics, world_from_cam));
  ResetFrames out;
  auto actions = torch::zeros({t - 1, config.action_dim});
  if (frames.actions.has_value()) {
    GWM_RETURN_IF_ERROR(
        CheckTensor(*frames.actions, "actions", DType::kF32, {t - 1, config.action_dim}));
    actions = ToTorch(*frames.actions);
    GWM_RETURN_IF_ERROR(CheckFinite(actions, "actions"));
    const double largest = actions.numel() > 0 ? actions.abs().max().item<double>() : 0;
    if (largest > 1) {
      return absl::InvalidArgumentError(
          absl::StrCat("frames.actions holds a magnitude of ", largest, "; allowed are -1 to 1"));
    }
  }
  out.past_actions = actions.unsqueeze(0);
  const int64_t seen = std::min(t, config.dynamics.context_frames);
  const auto newest = [&](const TensorView& x) { return ToTorch(x).narrow(0, t - seen, seen); };
  auto pixels =
      PixelsFromRgbd(newest(frames.rgb), DepthInMetres(newest(frames.depth_mm)), config.far_m);
  for (int64_t i = 0; i < seen; ++i) {
    out.scenes.push_back(SceneFromPixels(pixels.narrow(0, i, 1), intrinsics.unsqueeze(0),
                                         world_from_cam.unsqueeze(0), config.gaussian_size));
  }
  return out;
}

}  // namespace gwm
