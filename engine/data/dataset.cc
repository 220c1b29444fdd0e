#include "engine/data/dataset.h"

#include "absl/strings/str_cat.h"
#include "engine/base/status.h"
#include "engine/base/tensor_convert.h"
#include "engine/io/progress.h"
#include "engine/model/pixel_frame.h"

namespace gwm {
namespace {

// Torch computes little with u16; depths of robot scenes stay far below 32 m.
torch::Tensor DepthAsShort(const HostTensor& depth_mm) {
  std::vector<int16_t> values;
  values.reserve(static_cast<size_t>(depth_mm.elements()));
  for (uint16_t mm : depth_mm.values<uint16_t>()) {
    values.push_back(static_cast<int16_t>(std::min<uint16_t>(mm, INT16_MAX)));
  }
  return torch::tensor(values, torch::kShort).reshape(depth_mm.shape);
}

}  // namespace

absl::Status CheckFits(const io::Episode& e, const std::string& name, const ModelConfig& config) {
  if (e.views() == config.views && e.height() == config.height && e.width() == config.width &&
      e.action_dim() == config.action_dim) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat(name, " has ", e.views(), " views of ", e.height(), "x", e.width(),
                   " and actions of ", e.action_dim(), " entries; the model takes ", config.views,
                   " of ", config.height, "x", config.width, " and ", config.action_dim));
}

EpisodeTensors ToTensors(const io::Episode& episode) {
  EpisodeTensors t;
  t.rgb = ToTorch(episode.rgb);
  t.depth_mm = DepthAsShort(episode.depth_mm);
  t.intrinsics = ToTorch(episode.intrinsics);
  t.world_from_cam = ToTorch(episode.world_from_cam);
  t.action = ToTorch(episode.action);
  t.reward = ToTorch(episode.reward);
  t.terminated = ToTorch(episode.terminated).to(torch::kFloat);
  t.success = ToTorch(episode.success).to(torch::kFloat);
  t.task = episode.meta("task");
  t.kind = episode.meta("kind");
  return t;
}

int64_t Dataset::frames() const {
  int64_t count = 0;
  for (const auto& episode : episodes) count += episode.frames();
  return count;
}

torch::Tensor Dataset::Pixels(size_t episode, const torch::Tensor& frames, double far_m) const {
  const auto& e = episodes[episode];
  return PixelsFromRgbd(e.rgb.index_select(0, frames),
                        e.depth_mm.index_select(0, frames).to(torch::kFloat) * 1e-3, far_m);
}

SceneBatch Dataset::Scenes(size_t episode, const torch::Tensor& frames,
                           const ModelConfig& config) const {
  const auto& e = episodes[episode];
  auto expand = [&](const torch::Tensor& x) {
    return x.unsqueeze(0).expand({frames.size(0), -1, -1, -1});
  };
  return SceneFromPixels(Pixels(episode, frames, config.far_m), expand(e.intrinsics),
                         expand(e.world_from_cam), config.gaussian_size);
}

absl::StatusOr<Dataset> LoadDataset(const std::vector<std::string>& roots,
                                    const ModelConfig& config) {
  std::vector<std::string> paths;
  for (const auto& root : roots) {
    GWM_ASSIGN_OR_RETURN(auto found, io::ListEpisodes(root));
    paths.insert(paths.end(), found.begin(), found.end());
  }
  Dataset dataset;
  io::Progress progress({.label = "reading episodes", .total = static_cast<int64_t>(paths.size())});
  for (const auto& path : paths) {
    GWM_ASSIGN_OR_RETURN(auto episode, io::ReadEpisode(path));
    GWM_RETURN_IF_ERROR(CheckFits(episode, path, config));
    dataset.episodes.push_back(ToTensors(episode));
    dataset.episodes.back().path = path;
    progress.Update(static_cast<int64_t>(dataset.episodes.size()));
  }
  return dataset;
}

}  // namespace gwm
