#include "engine/train/reset_pool.h"

#include <map>

#include "absl/strings/str_cat.h"
#include "engine/base/tensor_convert.h"
#include "engine/checkpoint/checkpoint.h"
#include "engine/io/safetensors.h"

namespace gwm {

io::TensorFile MakeResetPool(const Dataset& data, const ModelConfig& config) {
  const int64_t frames = config.dynamics.context_frames;
  std::map<std::string, int64_t> taken;
  std::vector<torch::Tensor> rgb, depth, intrinsics, poses, actions;
  io::TensorFile file;
  for (const auto& e : data.episodes) {
    if (e.frames() < frames || taken[e.task] == kResetPoolPerTask) continue;
    ++taken[e.task];
    file.metadata[absl::StrCat("task.", rgb.size())] = e.task;
    rgb.push_back(e.rgb.narrow(0, 0, frames));
    depth.push_back(e.depth_mm.narrow(0, 0, frames));
    intrinsics.push_back(e.intrinsics);
    poses.push_back(e.world_from_cam);
    actions.push_back(e.action.narrow(0, 1, frames - 1));
  }
  file.tensors["rgb"] = ToHost(torch::stack(rgb));
  file.tensors["depth_mm"] = ToHost(torch::stack(depth).to(torch::kUInt16));
  file.tensors["intrinsics"] = ToHost(torch::stack(intrinsics));
  file.tensors["world_from_cam"] = ToHost(torch::stack(poses));
  file.tensors["action"] = ToHost(torch::stack(actions));
  return file;
}

}  // namespace gwm
