#include "engine/runtime/pool_frames.h"

#include "absl/strings/str_cat.h"
#include "engine/base/status.h"

namespace gwm {
namespace {

HostTensor EntryOf(const HostTensor& all, int entry) {
  HostTensor one{all.dtype, {all.shape.begin() + 1, all.shape.end()}, {}};
  const size_t bytes = all.data.size() / static_cast<size_t>(all.shape[0]);
  one.data = all.data.substr(bytes * static_cast<size_t>(entry), bytes);
  return one;
}

}  // namespace

RgbdFrames PooledFrames::view() const {
  return {TensorView(rgb), TensorView(depth_mm), TensorView(intrinsics), TensorView(world_from_cam),
          TensorView(actions)};
}

absl::StatusOr<int> CountPoolFrames(const io::TensorFile& file, const ModelConfig& config) {
  if (file.tensors.empty()) return 0;
  GWM_ASSIGN_OR_RETURN(const HostTensor* rgb, file.Find("rgb", DType::kU8, 6));
  GWM_ASSIGN_OR_RETURN(const HostTensor* depth, file.Find("depth_mm", DType::kU16, 5));
  GWM_ASSIGN_OR_RETURN(const HostTensor* intrinsics, file.Find("intrinsics", DType::kF32, 4));
  GWM_ASSIGN_OR_RETURN(const HostTensor* poses, file.Find("world_from_cam", DType::kF32, 4));
  GWM_ASSIGN_OR_RETURN(const HostTensor* actions, file.Find("action", DType::kF32, 3));
  const int64_t p = rgb->shape[0], t = rgb->shape[1], v = config.views;
  const auto is = [](const HostTensor* x, const std::vector<int64_t>& shape) {
    return x->shape == shape;
  };
  if (p < 1 || t < 1 || !is(rgb, {p, t, v, config.height, config.width, 3}) ||
      !is(depth, {p, t, v, config.height, config.width}) || !is(intrinsics, {p, v, 3, 3}) ||
      !is(poses, {p, v, 4, 4}) || !is(actions, {p, t - 1, config.action_dim})) {
    return absl::InvalidArgumentError("checkpoint: the reset pool does not fit the config");
  }
  return static_cast<int>(p);
}

PooledFrames PoolFrames(const io::TensorFile& file, int entry) {
  const auto get = [&](const char* name) { return EntryOf(file.tensors.at(name), entry); };
  return {get("rgb"), get("depth_mm"), get("intrinsics"), get("world_from_cam"), get("action")};
}

}  // namespace gwm
