#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/error.h"
#include "server/base/status.h"
#include "server/convert/camera_check.h"
#include "server/convert/scene.h"
#include "server/convert/tensor.h"

namespace gwm::server {
namespace {

struct FrameSizes {
  int64_t n = 0, t = 0, v = 0, h = 0, w = 0;
};

// Part `row` of a tensor [n, ...]; `shape` is that of one part and outlives the view.
TensorView Part(const TensorView& tensor, const std::vector<int64_t>& shape, int64_t row) {
  size_t bytes = DTypeBytes(tensor.dtype);
  for (int64_t dim : shape) bytes *= static_cast<size_t>(dim);
  return {tensor.dtype, shape,
          static_cast<const char*>(tensor.data) + row * static_cast<int64_t>(bytes)};
}

// [n, V, k, k] or [V, k, k].
absl::StatusOr<TensorView> ParseMatrices(const v1::Tensor& tensor, const std::string& field,
                                         const FrameSizes& sizes, int64_t k) {
  std::vector<int64_t> shape = {sizes.v, k, k};
  std::string letters = absl::StrCat("[V, ", k, ", ", k, "]");
  if (tensor.shape_size() == 4) {
    shape.insert(shape.begin(), sizes.n);
    letters = absl::StrCat("[n, V, ", k, ", ", k, "]");
  }
  ASSIGN_OR_RETURN(const TensorView view,
                   ParseTensor(tensor, {field, DType::kF32, shape, letters}));
  const auto values = view.values<float>();
  const size_t step = static_cast<size_t>(k * k);
  for (size_t first = 0; first < values.size(); first += step) {
    const auto matrix = values.subspan(first, step);
    const std::string problem = k == 3 ? IntrinsicsProblem(matrix) : PoseProblem(matrix);
    if (!problem.empty()) {
      return BadTensor(field, absl::StrCat("matrix ", first / step, ": ", problem));
    }
  }
  return view;
}

absl::StatusOr<FrameSizes> ParseSizes(const v1::RgbdFrames& frames, const std::string& field,
                                      const WorldSpec& spec, TensorView& rgb) {
  ASSIGN_OR_RETURN(
      rgb, ParseTensor(frames.rgb(), {field + ".rgb",
                                      DType::kU8,
                                      {kAnySize, kAnySize, spec.views, spec.height, spec.width, 3},
                                      "[n, T, V, H, W, 3]"}));
  const FrameSizes sizes{rgb.shape[0], rgb.shape[1], rgb.shape[2], rgb.shape[3], rgb.shape[4]};
  if (sizes.t > spec.context_frames) {
    return BadTensor(field + ".rgb", absl::StrCat("T = ", sizes.t, " frames; 1 to ",
                                                  spec.context_frames, " are allowed"));
  }
  return sizes;
}

absl::StatusOr<TensorView> ParsePastActions(const v1::RgbdFrames& frames, const std::string& field,
                                            const WorldSpec& spec, const FrameSizes& sizes) {
  const std::string here = field + ".actions";
  TensorRule rule{here, DType::kF32, {sizes.n, sizes.t - 1, spec.action_dim}, "[n, T - 1, A]"};
  ASSIGN_OR_RETURN(const TensorView actions, ParseTensor(frames.actions(), rule));
  RETURN_IF_ERROR(CheckRange(actions, here, spec.action_min, spec.action_max));
  return actions;
}

}  // namespace

absl::StatusOr<FramesBatch> ParseFrames(const v1::RgbdFrames& frames, const std::string& field,
                                        const WorldSpec& spec) {
  TensorView rgb;
  ASSIGN_OR_RETURN(const FrameSizes sizes, ParseSizes(frames, field, spec, rgb));
  const auto [n, t, v, h, w] = sizes;
  ASSIGN_OR_RETURN(
      const TensorView depth,
      ParseTensor(frames.depth_mm(),
                  {field + ".depth_mm", DType::kU16, {n, t, v, h, w}, "[n, T, V, H, W]"}));
  ASSIGN_OR_RETURN(const TensorView intrinsics,
                   ParseMatrices(frames.intrinsics(), field + ".intrinsics", sizes, 3));
  ASSIGN_OR_RETURN(const TensorView poses,
                   ParseMatrices(frames.world_from_cam(), field + ".world_from_cam", sizes, 4));
  TensorView actions;
  if (frames.has_actions()) {
    ASSIGN_OR_RETURN(actions, ParsePastActions(frames, field, spec, sizes));
  }
  FramesBatch batch;
  *batch.shapes = {.rgb = {t, v, h, w, 3},
                   .depth_mm = {t, v, h, w},
                   .intrinsics = {v, 3, 3},
                   .world_from_cam = {v, 4, 4},
                   .actions = {t - 1, spec.action_dim}};
  for (int64_t row = 0; row < n; ++row) {
    const int64_t k_row = intrinsics.shape.size() == 4 ? row : 0;
    const int64_t pose_row = poses.shape.size() == 4 ? row : 0;
    RgbdFrames& out = batch.rows.emplace_back();
    out.rgb = Part(rgb, batch.shapes->rgb, row);
    out.depth_mm = Part(depth, batch.shapes->depth_mm, row);
    out.intrinsics = Part(intrinsics, batch.shapes->intrinsics, k_row);
    out.world_from_cam = Part(poses, batch.shapes->world_from_cam, pose_row);
    if (frames.has_actions()) out.actions = Part(actions, batch.shapes->actions, row);
  }
  return batch;
}

}  // namespace gwm::server
