#include "engine/train/evaluate.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "engine/io/progress.h"
#include "engine/scene/image_metrics.h"
#include "engine/train/contact_sheet.h"
#include "engine/train/evaluate_novel.h"
#include "engine/train/evaluation_sums.h"
#include "engine/train/rollout.h"

namespace gwm {
namespace {

torch::Tensor RealRgb(const EpisodeTensors& e, const torch::Tensor& frames) {
  return e.rgb.index_select(0, frames).to(torch::kFloat) / 255.0;  // [B, V, H, W, 3]
}

torch::Tensor ChannelsFirst(const torch::Tensor& rgb) {
  return rgb.flatten(0, 1).permute({0, 3, 1, 2});
}

// Absolute Laplacian of the luminance, summed over the pixels of `mask`. rgb: [B, V, H, W, 3].
double DetailOn(const torch::Tensor& mask, const torch::Tensor& rgb) {
  const auto luminance = rgb.mean(-1).flatten(0, 1).unsqueeze(1);
  const auto kernel = torch::tensor({0.F, 1.F, 0.F, 1.F, -4.F, 1.F, 0.F, 1.F, 0.F}, rgb.options());
  const auto laplacian = torch::conv2d(torch::replication_pad2d(luminance, {1, 1, 1, 1}),
                                       kernel.reshape({1, 1, 3, 3}));
  return (laplacian.abs().reshape_as(mask) * mask).sum().item<double>();
}

// Absolute error over the pixels that hit something.
void AddDepth(const EpisodeTensors& e, const torch::Tensor& frames, const torch::Tensor& depth_m,
              Pooled& pool) {
  const auto real = e.depth_mm.index_select(0, frames).to(torch::kFloat) * 1e-3;
  const auto valid = (real > 0).to(torch::kFloat);
  pool.Add(((depth_m - real).abs() * valid).sum().item<double>(), valid.sum().item<double>());
}

// Images of some rows at one horizon against the truth, into the sums.
void Score(const EpisodeTensors& e, const torch::Tensor& starts, int64_t h,
           const RolloutImages& imagined, const torch::Tensor& shuffled_rgb,
           const torch::Tensor& tokenizer_rgb, HorizonSums& s) {
  auto real = RealRgb(e, starts + h);
  auto first = RealRgb(e, starts);
  // On the bytes: a difference of exactly 10 must not turn on the rounding of 1/255.
  const auto bytes = [&](const torch::Tensor& frames) {
    return e.rgb.index_select(0, frames).to(torch::kShort);
  };
  auto changed =
      ((bytes(starts + h) - bytes(starts)).abs().amax(-1, /*keepdim=*/true) > 10).to(torch::kFloat);
  const auto square = [&](const torch::Tensor& image) { return (image - real).square(); };
  s.error.Add(square(imagined.rgb));
  s.error_repeat.Add(square(first));
  s.error_tokenizer.Add(square(tokenizer_rgb));
  const double changed_values = 3.0 * changed.sum().item<double>();
  const auto on_changed = [&](Pooled& pool, const torch::Tensor& image) {
    pool.Add((square(image) * changed).to(torch::kDouble).sum().item<double>(), changed_values);
  };
  on_changed(s.changed, imagined.rgb);
  on_changed(s.changed_repeat, first);
  on_changed(s.changed_shuffled, shuffled_rgb);
  on_changed(s.changed_tokenizer, tokenizer_rgb);
  s.detail_imagined.Add(DetailOn(changed, imagined.rgb), 1);
  s.detail_real.Add(DetailOn(changed, real), 1);
  if (real.size(2) > 10 && real.size(3) > 10) {
    s.ssim.Add(Ssim(ChannelsFirst(imagined.rgb), ChannelsFirst(real)));
    s.ssim_repeat.Add(Ssim(ChannelsFirst(first), ChannelsFirst(real)));
  }
  AddDepth(e, starts + h, imagined.depth, s.depth);
}

class Evaluator {
 public:
  Evaluator(const WorldModel& model, const Dataset& data, const EvaluateOptions& options)
      : model_(model), data_(data), options_(options) {
    calls_ = options.CallsFor(model);
    longest_ = *std::max_element(options.horizons.begin(), options.horizons.end());
  }

  absl::StatusOr<Evaluation> Run() {
    io::Progress progress(
        {.label = "evaluating", .total = static_cast<int64_t>(data_.episodes.size())});
    for (size_t i = 0; i < data_.episodes.size(); ++i) {
      KindSums sums;
      RunEpisode(i, sums);
      if (options_.long_rollout && data_.episodes[i].frames() > 100) RunLong(i, sums);
      Keep(data_.episodes[i], sums);
      if (!options_.quiet) progress.Update(static_cast<int64_t>(i) + 1);
    }
    if (options_.novel_view != nullptr && !sums_.kinds.empty()) {
      sums_.kinds["all"].novel_views = ScoreNovelViews(model_, *options_.novel_view, options_);
    }
    if (sums_.kinds.empty()) {
      return absl::InvalidArgumentError("evaluation: no episode is long enough for a single start");
    }
    return Evaluation{EvaluationJson(sums_), EvaluationTable(sums_), std::move(starts_),
                      DrawContactSheet(sheet_)};
  }

 private:
  void Keep(const EpisodeTensors& e, const KindSums& sums) {
    if (sums.horizons.empty()) return;
    sums_.kinds["all"].Merge(sums);
    if (!e.kind.empty()) sums_.kinds[e.kind].Merge(sums);
    if (!e.task.empty()) sums_.tasks[e.task].Merge(sums);
  }

  // The next episode of the same task (any task when there is no other), whose actions are the
  // wrong ones.
  size_t Other(size_t episode) const {
    const size_t n = data_.episodes.size();
    for (size_t d = 1; d < n; ++d) {
      const size_t other = (episode + d) % n;
      if (data_.episodes[other].task == data_.episodes[episode].task) return other;
    }
    return (episode + 1) % n;
  }

  void RunEpisode(size_t i, KindSums& sums) {
    const auto& e = data_.episodes[i];
    if (e.frames() <= options_.first_start + 1) return;
    auto starts = torch::arange(options_.first_start, e.frames() - 1, options_.start_every);
    const auto start =
        StartFromEpisode(model_, data_, i, starts, model_.config.dynamics.context_frames);
    // Every horizon is reported, as null where no episode is long enough.
    for (int64_t h : options_.horizons) sums.horizons[h];
    const RolloutOptions how{
        .calls = calls_, .seed = options_.seed, .episode = static_cast<uint32_t>(i)};
    const auto steps = Rollout(model_, start, ActionsAfter(e, starts, longest_), how);
    const auto& wrong = data_.episodes[Other(i)];
    const auto shuffled = Rollout(model_, start, ActionsAfter(wrong, starts, longest_), how);
    ScoreRewards(e, starts, steps, sums);
    sums.returns.Add(e.reward.sum().item<double>() / static_cast<double>(e.frames() - 1));
    for (int64_t h : options_.horizons) {
      auto rows = (starts + h < e.frames()).nonzero().squeeze(-1);
      if (rows.numel() == 0) continue;
      auto anchors = start.anchors.Select(rows);
      const auto at = static_cast<size_t>(h - 1);
      const auto imagined = RenderLatents(model_, steps[at].latents.index_select(0, rows), anchors);
      const auto other = RenderLatents(model_, shuffled[at].latents.index_select(0, rows), anchors);
      const auto real = RealLatents(i, starts.index_select(0, rows) + h, anchors);
      const auto exact = RenderLatents(model_, real, anchors);
      auto& s = sums.horizons[h];
      s.latent_error.Add((steps[at].latents.index_select(0, rows) - real).square());
      s.latent_change.Add((model_.Standardise(anchors.latents) - real).square());
      Score(e, starts.index_select(0, rows), h, imagined, other.rgb, exact.rgb, s);
      if (model_.error) KeepErrors(e, starts, rows, h, {steps[at], real, anchors, imagined}, s);
      KeepForSheet(e, starts.index_select(0, rows), h, imagined.rgb);
      if (h == longest_) KeepScores(i, starts.index_select(0, rows), imagined.rgb);
    }
  }

  // Standardised latents of the real frames; rendered, they are what perfect dynamics would reach.
  torch::Tensor RealLatents(size_t episode, const torch::Tensor& frames, const Anchors& anchors) {
    torch::NoGradGuard no_grad;
    const auto scenes = data_.Scenes(episode, frames, model_.config);
    return model_.Standardise(model_.tokenizer->Encode(scenes, anchors).mean);
  }

  struct Outcome {
    const RolloutStep& step;
    const torch::Tensor& real;  // latents
    const Anchors& anchors;
    const RolloutImages& images;
  };
  // `rows`: those of `starts` and of the step that all else in `outcome` belongs to.
  void KeepErrors(const EpisodeTensors& e, const torch::Tensor& starts, const torch::Tensor& rows,
                  int64_t h, const Outcome& outcome, HorizonSums& s) {
    const auto append = [](std::vector<double>& to, const torch::Tensor& values) {
      const auto from = values.to(torch::kCPU, torch::kDouble).contiguous();
      to.insert(to.end(), from.data_ptr<double>(), from.data_ptr<double>() + from.numel());
    };
    const auto mean_square = [](const torch::Tensor& x) { return x.square().flatten(1).mean(1); };
    const auto& diffusion = model_.config.diffusion;
    const auto real_rgb = RealRgb(e, starts.index_select(0, rows) + h);
    const auto latents = outcome.step.latents.index_select(0, rows);
    const auto start = model_.Standardise(outcome.anchors.latents);
    append(s.expected_error, outcome.step.expected_error.index_select(0, rows));
    append(s.change, mean_square((latents - start) / diffusion.sigma_data));
    append(s.latents_error, mean_square((latents - outcome.real) / diffusion.sigma_data));
    append(s.image_error, mean_square(outcome.images.rgb - real_rgb));
  }

  void ScoreRewards(const EpisodeTensors& e, const torch::Tensor& starts,
                    const std::vector<RolloutStep>& steps, KindSums& sums) {
    for (size_t h = 0; h < steps.size(); ++h) {
      for (int64_t b = 0; b < starts.size(0); ++b) {
        const int64_t frame = starts[b].item<int64_t>() + static_cast<int64_t>(h) + 1;
        if (frame >= e.frames()) continue;
        const double error =
            std::abs(steps[h].reward[b].item<double>() - e.reward[frame].item<double>());
        sums.reward.Add(error, 1);
        sums.success_score.push_back(steps[h].success_probability[b].item<float>());
        sums.success.push_back(e.success[frame].item<float>() > 0.5F);
      }
    }
  }

  void RunLong(size_t i, KindSums& sums) {
    const auto& e = data_.episodes[i];
    auto first = torch::zeros({1}, torch::kLong);
    const auto start = StartFromEpisode(model_, data_, i, first, 1);
    const auto steps =
        Rollout(model_, start, ActionsAfter(e, first, 100),
                {.calls = calls_, .seed = options_.seed, .episode = static_cast<uint32_t>(i)});
    auto real_first = RealRgb(e, first);
    auto real_last = RealRgb(e, first + 100);
    const double luminance = real_first.mean().item<double>();
    torch::Tensor last;
    auto& l = sums.long_rollout;
    for (size_t h = 9; h < steps.size(); h += 10) {
      const auto images = RenderLatents(model_, steps[h].latents, start.anchors);
      last = images.rgb;
      if (h == 9) AddDepth(e, first + 10, images.depth, l.depth_at_10);
      if (h == steps.size() - 1) AddDepth(e, first + 100, images.depth, l.depth_at_last);
      l.worst_luminance_change = std::max(l.worst_luminance_change,
                                          std::abs(last.mean().item<double>() / luminance - 1.0));
      l.finite = l.finite && torch::isfinite(last).all().item<bool>();
    }
    l.error.Add((last - real_last).square());
    l.error_repeat.Add((real_first - real_last).square());
    ++l.rollouts;
  }

  void KeepScores(size_t episode, const torch::Tensor& starts, const torch::Tensor& rgb) {
    const auto& e = data_.episodes[episode];
    const auto error = (rgb - RealRgb(e, starts + longest_)).square().flatten(1).mean(1);
    for (int64_t b = 0; b < starts.size(0); ++b) {
      starts_.push_back(
          {e.task, episode, starts[b].item<int64_t>(), longest_, error[b].item<double>()});
    }
  }

  // The third start of the first episode of each task.
  void KeepForSheet(const EpisodeTensors& e, const torch::Tensor& starts, int64_t h,
                    const torch::Tensor& rgb) {
    auto& path = sheet_episode_[e.task];
    if (path.empty()) path = e.path;
    if (path != e.path || starts.size(0) < 3) return;
    auto frame = starts.narrow(0, 2, 1);
    sheet_[e.task].push_back({h, RealRgb(e, frame + h)[0][0], rgb[2][0], RealRgb(e, frame)[0][0]});
  }

  const WorldModel& model_;
  const Dataset& data_;
  const EvaluateOptions& options_;
  int64_t calls_ = 1;
  int64_t longest_ = 1;
  EvaluationSums sums_;
  std::vector<ScoredStart> starts_;
  std::map<std::string, std::vector<SheetCell>> sheet_;
  std::map<std::string, std::string> sheet_episode_;  // the one episode of each task that is shown
};

}  // namespace

absl::StatusOr<Evaluation> Evaluate(const WorldModel& model, const Dataset& data,
                                    const EvaluateOptions& options) {
  return Evaluator(model, data, options).Run();
}

}  // namespace gwm
