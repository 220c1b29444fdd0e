#include "engine/bin/render_source.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/api/world.h"
#include "engine/base/catch_torch.h"
#include "engine/base/status.h"
#include "engine/base/tensor_convert.h"
#include "engine/io/episode.h"
#include "engine/perception/rgbd.h"
#include "engine/scene/ply.h"

namespace gwm {
namespace {

constexpr double kDefaultFrameS = 0.1;

std::array<float, 3> MeanOf(const torch::Tensor& colours) {
  const torch::Tensor mean = colours.reshape({-1, 3}).mean(0).clamp(0, 1).contiguous();
  return {mean.data_ptr<float>()[0], mean.data_ptr<float>()[1], mean.data_ptr<float>()[2]};
}

struct LoadedRange {
  io::Episode episode;
  int64_t first = 0;
  int64_t count = 0;
};

absl::StatusOr<LoadedRange> LoadRange(const EpisodeRange& range) {
  LoadedRange loaded;
  GWM_ASSIGN_OR_RETURN(loaded.episode, io::ReadEpisode(range.path));
  if (range.first < 0 || range.first >= loaded.episode.frames()) {
    return absl::OutOfRangeError(absl::StrCat(
        "--frame=", range.first, ", the episode has frames 0..", loaded.episode.frames() - 1));
  }
  if (range.view < 0 || range.view >= loaded.episode.views()) {
    return absl::OutOfRangeError(absl::StrCat("--view=", range.view, ", the episode has views 0..",
                                              loaded.episode.views() - 1));
  }
  if (range.count < 1) return absl::InvalidArgumentError("--frames must be at least 1");
  loaded.first = range.first;
  loaded.count = std::min(range.count, loaded.episode.frames() - range.first);
  return loaded;
}

Cameras CamerasOf(const io::Episode& episode) {
  return {ToTorch(episode.intrinsics), ToTorch(episode.world_from_cam), episode.height(),
          episode.width()};
}

double FrameSeconds(const io::Episode& episode) {
  const std::string text = episode.meta("control_dt");
  char* end = nullptr;
  const double seconds = std::strtod(text.c_str(), &end);
  const bool sane = end != text.c_str() && std::isfinite(seconds) && seconds > 0 && seconds < 10;
  return sane ? seconds : kDefaultFrameS;
}

// Row `first` of the episode as the world's reset frames. The views point into `tensors`.
RgbdFrames ResetFrames(const io::Episode& episode, int64_t first,
                       std::array<HostTensor, 2>& tensors) {
  tensors[0] = ToHost(BorrowTorch(episode.rgb).slice(0, first, first + 1));
  tensors[1] = ToHost(BorrowTorch(episode.depth_mm).slice(0, first, first + 1));
  return {.rgb = tensors[0],
          .depth_mm = tensors[1],
          .intrinsics = episode.intrinsics,
          .world_from_cam = episode.world_from_cam};
}

// The action that led to row `t` of the episode, or zeros after its end.
std::vector<float> ActionAt(const io::Episode& episode, int64_t t) {
  std::vector<float> action(static_cast<size_t>(episode.action_dim()), 0);
  if (t < episode.frames()) {
    const auto values = episode.action.values<float>();
    std::copy_n(values.begin() + t * episode.action_dim(), action.size(), action.begin());
  }
  return action;
}

}  // namespace

absl::StatusOr<RenderSource> SourceFromPly(const std::string& path) {
  GWM_ASSIGN_OR_RETURN(const GaussianCloud cloud, ReadPly(path));
  return CatchTorch("ply", [&]() -> absl::StatusOr<RenderSource> {
    RenderSource source;
    source.scenes.push_back(FromCloud(cloud));
    if (source.scenes[0].count() == 0) {
      return absl::InvalidArgumentError(absl::StrCat("the file has no Gaussians: ", path));
    }
    return source;
  });
}

absl::StatusOr<RenderSource> SourceFromEpisode(const EpisodeRange& range) {
  GWM_ASSIGN_OR_RETURN(const LoadedRange loaded, LoadRange(range));
  return CatchTorch("episode", [&]() -> absl::StatusOr<RenderSource> {
    const io::Episode& episode = loaded.episode;
    const int64_t end = loaded.first + loaded.count;
    const Views views{ToTorch(episode.rgb).slice(0, loaded.first, end),
                      ToTorch(episode.depth_mm).slice(0, loaded.first, end).contiguous(),
                      CamerasOf(episode)};
    const Gaussians all = RgbdFrontend().Encode(views);
    RenderSource source;
    for (int64_t t = 0; t < loaded.count; ++t) source.scenes.push_back(all[t]);
    source.camera = CameraAt(views.cameras, range.view);
    source.mean_colour = MeanOf(RgbInUnit(views.rgb));
    source.frame_s = FrameSeconds(episode);
    return source;
  });
}

absl::StatusOr<RenderSource> SourceFromRollout(const std::string& checkpoint,
                                               const EpisodeRange& range, const std::string& device,
                                               uint64_t seed) {
  GWM_ASSIGN_OR_RETURN(const LoadedRange loaded, LoadRange(range));
  const io::Episode& episode = loaded.episode;
  GWM_ASSIGN_OR_RETURN(const std::unique_ptr<World> world,
                       OpenWorld({.checkpoint_dir = checkpoint, .device = device}));
  if (world->spec().action_dim != episode.action_dim()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the checkpoint takes ", world->spec().action_dim,
                     " action entries, the episode has ", episode.action_dim()));
  }
  std::array<HostTensor, 2> tensors;
  GWM_ASSIGN_OR_RETURN(auto states,
                       world->Reset({{.frames = ResetFrames(episode, loaded.first, tensors)}}));
  RenderSource source;
  StatePtr state = states[0];
  for (int64_t t = 0; t < range.count; ++t) {
    if (t > 0) {
      const std::vector<float> action = ActionAt(episode, loaded.first + t);
      const NoiseKey noise{.seed = seed, .step = static_cast<uint32_t>(t)};
      GWM_ASSIGN_OR_RETURN(auto rows,
                           world->Step({{.state = state, .action = action, .noise = noise}}, {}));
      GWM_RETURN_IF_ERROR(rows[0].status);
      state = rows[0].next;
    }
    GWM_ASSIGN_OR_RETURN(const GaussianCloud cloud, world->Gaussians(state));
    source.scenes.push_back(FromCloud(cloud));
  }
  source.camera = CameraAt(CamerasOf(episode), range.view);
  source.mean_colour = MeanOf(source.scenes[0].rgb0());
  source.frame_s = FrameSeconds(episode);
  return source;
}

}  // namespace gwm
