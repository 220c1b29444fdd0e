#include "engine/runtime/start_frame.h"

#include <optional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/base/status.h"

namespace gwm {
namespace {

HostTensor CopyOf(const TensorView& view) {
  HostTensor copy{view.dtype, {view.shape.begin(), view.shape.end()}, {}};
  copy.data.assign(static_cast<const char*>(view.data),
                   static_cast<size_t>(view.elements()) * DTypeBytes(view.dtype));
  return copy;
}

// The last row of [T, ...], as [1, ...].
HostTensor LastRow(const TensorView& view) {
  HostTensor row{view.dtype, {view.shape.begin(), view.shape.end()}, {}};
  const size_t bytes =
      static_cast<size_t>(view.elements() / view.shape[0]) * DTypeBytes(view.dtype);
  const char* first = static_cast<const char*>(view.data);
  row.data.assign(first + bytes * static_cast<size_t>(view.shape[0] - 1), bytes);
  row.shape[0] = 1;
  return row;
}

absl::StatusOr<HostTensor> Find(const StateTensors& tensors, const std::string& name) {
  const auto found = tensors.find(name);
  if (found != tensors.end()) return found->second;
  return absl::InvalidArgumentError(absl::StrCat("state: tensor ", name, " is missing"));
}

}  // namespace

StartFrame StartFrame::NewestOf(const RgbdFrames& frames) {
  return {.rgb = LastRow(frames.rgb),
          .depth_mm = LastRow(frames.depth_mm),
          .intrinsics = CopyOf(frames.intrinsics),
          .world_from_cam = CopyOf(frames.world_from_cam)};
}

absl::StatusOr<StartFrame> StartFrame::From(const StateTensors& tensors) {
  StartFrame frame;
  GWM_ASSIGN_OR_RETURN(frame.rgb, Find(tensors, "rgb"));
  GWM_ASSIGN_OR_RETURN(frame.depth_mm, Find(tensors, "depth_mm"));
  GWM_ASSIGN_OR_RETURN(frame.intrinsics, Find(tensors, "intrinsics"));
  GWM_ASSIGN_OR_RETURN(frame.world_from_cam, Find(tensors, "world_from_cam"));
  return frame;
}

void StartFrame::AddTo(StateTensors& tensors) const {
  tensors["rgb"] = rgb;
  tensors["depth_mm"] = depth_mm;
  tensors["intrinsics"] = intrinsics;
  tensors["world_from_cam"] = world_from_cam;
}

RgbdFrames StartFrame::view() const {
  return {rgb, depth_mm, intrinsics, world_from_cam, std::nullopt};
}

int64_t StartFrame::bytes() const {
  return static_cast<int64_t>(rgb.data.size() + depth_mm.data.size() + intrinsics.data.size() +
                              world_from_cam.data.size());
}

}  // namespace gwm
