#include "engine/train/evaluate_novel.h"

#include <algorithm>

#include "engine/perception/rgbd.h"
#include "engine/train/rollout.h"

namespace gwm {
namespace {

// The same episodes as seen by their first cameras alone.
Dataset WithoutLastView(const Dataset& data) {
  Dataset out = data;
  for (auto& e : out.episodes) {
    const int64_t views = e.rgb.size(1) - 1;
    e.rgb = e.rgb.narrow(1, 0, views);
    e.depth_mm = e.depth_mm.narrow(1, 0, views);
    e.intrinsics = e.intrinsics.narrow(0, 0, views);
    e.world_from_cam = e.world_from_cam.narrow(0, 0, views);
  }
  return out;
}

Cameras LastCamera(const EpisodeTensors& e) {
  const int64_t last = e.intrinsics.size(0) - 1;
  return {e.intrinsics.narrow(0, last, 1), e.world_from_cam.narrow(0, last, 1), e.rgb.size(2),
          e.rgb.size(3)};
}

}  // namespace

std::map<int64_t, NovelViewSums> ScoreNovelViews(const WorldModel& model, const Dataset& data,
                                                 const EvaluateOptions& options) {
  torch::NoGradGuard no_grad;
  const Dataset shown = WithoutLastView(data);
  const int64_t longest = *std::max_element(options.horizons.begin(), options.horizons.end());
  std::map<int64_t, NovelViewSums> sums;
  for (size_t i = 0; i < data.episodes.size(); ++i) {
    const auto& e = data.episodes[i];
    if (e.frames() <= options.first_start + 1) continue;
    const auto starts = torch::arange(options.first_start, e.frames() - 1, options.start_every);
    const auto start =
        StartFromEpisode(model, shown, i, starts, model.config.dynamics.context_frames);
    const auto steps = Rollout(model, start, ActionsAfter(e, starts, longest),
                               {.calls = options.CallsFor(model),
                                .seed = options.seed,
                                .episode = static_cast<uint32_t>(i)});
    const auto camera = LastCamera(e);
    for (int64_t h : options.horizons) {
      const auto rows = (starts + h < e.frames()).nonzero().squeeze(-1);
      if (rows.numel() == 0) continue;
      const auto frames = starts.index_select(0, rows) + h;
      const auto anchors = start.anchors.Select(rows);
      const auto real = RgbInUnit(e.rgb.index_select(0, frames).narrow(1, e.rgb.size(1) - 1, 1));
      const auto add = [&](Pooled& pool, const torch::Tensor& latents) {
        pool.Add((RenderLatentsFrom(model, latents, anchors, camera).rgb - real).square());
      };
      const auto scenes = shown.Scenes(i, frames, model.config);
      add(sums[h].imagined, steps[static_cast<size_t>(h - 1)].latents.index_select(0, rows));
      add(sums[h].encoded, model.Standardise(model.tokenizer->Encode(scenes, anchors).mean));
      add(sums[h].repeat, model.Standardise(anchors.latents));
    }
  }
  return sums;
}

}  // namespace gwm
