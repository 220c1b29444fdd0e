#include "engine/train/evaluate_novel.h"

#include <algorithm>

#include "engine/model/pixel_frame.h"
#include "engine/scene/render.h"
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

// f32 [B, 1, H, W, 3] of decoded latents at the episode's last camera.
torch::Tensor RenderHidden(const WorldModel& model, const torch::Tensor& latents,
                           const Anchors& anchors, const EpisodeTensors& e) {
  const auto gaussians = DecodeStandardised(model, latents, anchors);
  const int64_t last = e.intrinsics.size(0) - 1;
  const Cameras camera{e.intrinsics.narrow(0, last, 1), e.world_from_cam.narrow(0, last, 1),
                       e.rgb.size(2), e.rgb.size(3)};
  std::vector<torch::Tensor> images;
  for (int64_t b = 0; b < latents.size(0); ++b) {
    images.push_back(Render(gaussians[b], camera, StateRenderOptions(gaussians[b])).rgb);
  }
  return torch::stack(images);
}

}  // namespace

std::map<int64_t, NovelViewSums> ScoreNovelViews(const WorldModel& model, const Dataset& data,
                                                 const EvaluateOptions& options) {
  torch::NoGradGuard no_grad;
  const Dataset shown = WithoutLastView(data);
  const int64_t calls = options.calls > 0 ? options.calls : model.config.diffusion.calls;
  std::map<int64_t, NovelViewSums> sums;
  for (size_t i = 0; i < data.episodes.size(); ++i) {
    const auto& e = data.episodes[i];
    for (int64_t h : options.horizons) {
      const int64_t end = e.frames() - h;
      if (end <= options.first_start) continue;
      const auto starts = torch::arange(options.first_start, end, options.start_every);
      const auto start =
          StartFromEpisode(model, shown, i, starts, model.config.dynamics.context_frames);
      const auto frames = starts.unsqueeze(1) + torch::arange(1, h + 1);
      const auto actions =
          e.action.index_select(0, frames.flatten()).reshape({starts.size(0), h, -1});
      const auto steps =
          Rollout(model, start, actions,
                  {.calls = calls, .seed = options.seed, .episode = static_cast<uint32_t>(i)});
      const auto real =
          e.rgb.index_select(0, starts + h).narrow(1, e.rgb.size(1) - 1, 1).to(torch::kFloat) / 255;
      const auto add = [&](Pooled& pool, const torch::Tensor& latents) {
        pool.Add((RenderHidden(model, latents, start.anchors, e) - real).square());
      };
      const auto scenes = shown.Scenes(i, starts + h, model.config);
      add(sums[h].imagined, steps.back().latents);
      add(sums[h].encoded, model.Standardise(model.tokenizer->Encode(scenes, start.anchors).mean));
      add(sums[h].repeat, model.Standardise(start.anchors.latents));
    }
  }
  return sums;
}

}  // namespace gwm
