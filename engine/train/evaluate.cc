#include "engine/train/evaluate.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "engine/io/progress.h"
#include "engine/scene/image_metrics.h"
#include "engine/train/contact_sheet.h"
#include "engine/train/rollout.h"

namespace gwm {
namespace {

using Json = nlohmann::ordered_json;

// A mean whose parts arrive one by one.
struct Pooled {
  double sum = 0;
  double count = 0;
  void Add(double part_sum, double part_count) {
    sum += part_sum;
    count += part_count;
  }
  void Add(const torch::Tensor& values) {
    Add(values.to(torch::kDouble).sum().item<double>(), static_cast<double>(values.numel()));
  }
  double mean() const { return count > 0 ? sum / count : std::nan(""); }
};

struct HorizonSums {
  Pooled error, error_repeat, error_tokenizer, changed, changed_repeat, changed_shuffled,
      changed_tokenizer, ssim, ssim_repeat, depth;
};
struct LongSums {
  Pooled error, error_repeat;
  double worst_luminance_change = 0;
  bool finite = true;
};
struct KindSums {
  std::map<int64_t, HorizonSums> horizons;
  Pooled reward;
  std::vector<float> success_score;
  std::vector<bool> success;
  LongSums long_rollout;
  int64_t long_rollouts = 0;
};

Json Number(double x) { return std::isfinite(x) ? Json(x) : Json(nullptr); }
Json Decibel(const Pooled& p) { return p.count > 0 ? Json(PsnrOf(p.mean())) : Json(nullptr); }

Json KindJson(const KindSums& sums) {
  Json json;
  for (const auto& [h, s] : sums.horizons) {
    json["horizons"][absl::StrCat(h)] = {{"psnr", Decibel(s.error)},
                                         {"psnr_repeat_last", Decibel(s.error_repeat)},
                                         {"psnr_changed", Decibel(s.changed)},
                                         {"psnr_changed_repeat_last", Decibel(s.changed_repeat)},
                                         {"psnr_changed_shuffled", Decibel(s.changed_shuffled)},
                                         {"psnr_tokenizer", Decibel(s.error_tokenizer)},
                                         {"psnr_changed_tokenizer", Decibel(s.changed_tokenizer)},
                                         {"ssim", Number(s.ssim.mean())},
                                         {"ssim_repeat_last", Number(s.ssim_repeat.mean())},
                                         {"depth_mae_m", Number(s.depth.mean())}};
  }
  json["reward_mae"] = Number(sums.reward.mean());
  json["success_auc"] = Number(RocAuc(sums.success_score, sums.success));
  if (sums.long_rollouts > 0) {
    const auto& l = sums.long_rollout;
    json["long_rollout"] = {{"rollouts", sums.long_rollouts},
                            {"psnr_last", Decibel(l.error)},
                            {"psnr_repeat_first", Decibel(l.error_repeat)},
                            {"worst_luminance_change", l.worst_luminance_change},
                            {"finite", l.finite}};
  }
  return json;
}

std::string Table(const std::map<std::string, KindSums>& kinds) {
  std::string out = absl::StrFormat("%-8s %3s | %7s %7s %7s | %7s %7s %7s %7s | %6s %6s | %8s\n",
                                    "episodes", "h", "psnr", "repeat", "tokens", "changed",
                                    "repeat", "shuffl.", "tokens", "ssim", "repeat", "depth mm");
  for (const auto& [kind, sums] : kinds) {
    for (const auto& [h, s] : sums.horizons) {
      absl::StrAppendFormat(
          &out, "%-8s %3d | %7.2f %7.2f %7.2f | %7.2f %7.2f %7.2f %7.2f | %6.3f %6.3f | %8.1f\n",
          kind, h, PsnrOf(s.error.mean()), PsnrOf(s.error_repeat.mean()),
          PsnrOf(s.error_tokenizer.mean()), PsnrOf(s.changed.mean()),
          PsnrOf(s.changed_repeat.mean()), PsnrOf(s.changed_shuffled.mean()),
          PsnrOf(s.changed_tokenizer.mean()), s.ssim.mean(), s.ssim_repeat.mean(),
          1e3 * s.depth.mean());
    }
    absl::StrAppendFormat(&out, "%-8s reward MAE %.3f, success AUC %.3f", kind, sums.reward.mean(),
                          RocAuc(sums.success_score, sums.success));
    if (sums.long_rollouts > 0) {
      const auto& l = sums.long_rollout;
      absl::StrAppendFormat(
          &out, "; 100 steps: %.2f dB (repeat-first %.2f), luminance within %.1f %%",
          PsnrOf(l.error.mean()), PsnrOf(l.error_repeat.mean()), 100 * l.worst_luminance_change);
    }
    out += "\n";
  }
  return out;
}

torch::Tensor RealRgb(const EpisodeTensors& e, const torch::Tensor& frames) {
  return e.rgb.index_select(0, frames).to(torch::kFloat) / 255.0;  // [B, V, H, W, 3]
}

torch::Tensor ChannelsFirst(const torch::Tensor& rgb) {
  return rgb.flatten(0, 1).permute({0, 3, 1, 2});
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
  if (real.size(2) > 10 && real.size(3) > 10) {
    s.ssim.Add(Ssim(ChannelsFirst(imagined.rgb), ChannelsFirst(real)));
    s.ssim_repeat.Add(Ssim(ChannelsFirst(first), ChannelsFirst(real)));
  }
  auto depth = e.depth_mm.index_select(0, starts + h).to(torch::kFloat) * 1e-3;
  auto valid = (depth > 0).to(torch::kFloat);
  s.depth.Add(((imagined.depth - depth).abs() * valid).sum().item<double>(),
              valid.sum().item<double>());
}

class Evaluator {
 public:
  Evaluator(const WorldModel& model, const Dataset& data, const EvaluateOptions& options)
      : model_(model), data_(data), options_(options) {
    calls_ = options.calls > 0 ? options.calls : model.config.diffusion.calls;
    longest_ = *std::max_element(options.horizons.begin(), options.horizons.end());
  }

  absl::StatusOr<Evaluation> Run() {
    io::Progress progress(
        {.label = "evaluating", .total = static_cast<int64_t>(data_.episodes.size())});
    for (size_t i = 0; i < data_.episodes.size(); ++i) {
      RunEpisode(i);
      if (options_.long_rollout && data_.episodes[i].frames() > 100) RunLong(i);
      if (!options_.quiet) progress.Update(static_cast<int64_t>(i) + 1);
    }
    if (kinds_.empty()) {
      return absl::InvalidArgumentError("evaluation: no episode is long enough for a single start");
    }
    Json json;
    for (const auto& [kind, sums] : kinds_) json[kind] = KindJson(sums);
    return Evaluation{json.dump(2) + "\n", Table(kinds_), DrawContactSheet(sheet_)};
  }

 private:
  std::vector<KindSums*> SumsOf(const EpisodeTensors& e) {
    std::vector<KindSums*> sums = {&kinds_["all"]};
    if (!e.kind.empty()) sums.push_back(&kinds_[e.kind]);
    return sums;
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

  // [B, H, A]: the actions after each start; beyond the end the last one is repeated.
  static torch::Tensor ActionsFrom(const EpisodeTensors& e, const torch::Tensor& starts,
                                   int64_t steps) {
    auto index = starts.unsqueeze(1) + torch::arange(1, steps + 1);
    return e.action.index_select(0, index.clamp_max(e.frames() - 1).flatten())
        .reshape({starts.size(0), steps, -1});
  }

  void RunEpisode(size_t i) {
    const auto& e = data_.episodes[i];
    if (e.frames() <= options_.first_start + 1) return;
    auto starts = torch::arange(options_.first_start, e.frames() - 1, options_.start_every);
    const auto start =
        StartFromEpisode(model_, data_, i, starts, model_.config.dynamics.context_frames);
    // Every horizon is reported, as null where no episode is long enough.
    for (KindSums* sums : SumsOf(e)) {
      for (int64_t h : options_.horizons) sums->horizons[h];
    }
    const auto id = static_cast<uint32_t>(i);
    const auto steps =
        Rollout(model_, start, ActionsFrom(e, starts, longest_), calls_, options_.seed, id);
    const auto& wrong = data_.episodes[Other(i)];
    const auto shuffled =
        Rollout(model_, start, ActionsFrom(wrong, starts, longest_), calls_, options_.seed, id);
    ScoreRewards(e, starts, steps);
    for (int64_t h : options_.horizons) {
      auto rows = (starts + h < e.frames()).nonzero().squeeze(-1);
      if (rows.numel() == 0) continue;
      auto anchors = start.anchors.Select(rows);
      const auto at = static_cast<size_t>(h - 1);
      const auto imagined = RenderLatents(model_, steps[at].latents.index_select(0, rows), anchors);
      const auto other = RenderLatents(model_, shuffled[at].latents.index_select(0, rows), anchors);
      const auto exact = RenderExact(i, starts.index_select(0, rows) + h, anchors);
      for (KindSums* sums : SumsOf(e)) {
        Score(e, starts.index_select(0, rows), h, imagined, other.rgb, exact.rgb,
              sums->horizons[h]);
      }
      KeepForSheet(e, starts.index_select(0, rows), h, imagined.rgb);
    }
  }

  // The real frame through the tokenizer alone: what perfect dynamics would reach.
  RolloutImages RenderExact(size_t episode, const torch::Tensor& frames, const Anchors& anchors) {
    torch::NoGradGuard no_grad;
    auto latents =
        model_.tokenizer->Encode(data_.Scenes(episode, frames, model_.config), anchors).mean;
    return RenderLatents(model_, model_.Standardise(latents), anchors);
  }

  void ScoreRewards(const EpisodeTensors& e, const torch::Tensor& starts,
                    const std::vector<RolloutStep>& steps) {
    for (size_t h = 0; h < steps.size(); ++h) {
      for (int64_t b = 0; b < starts.size(0); ++b) {
        const int64_t frame = starts[b].item<int64_t>() + static_cast<int64_t>(h) + 1;
        if (frame >= e.frames()) continue;
        const double error =
            std::abs(steps[h].reward[b].item<double>() - e.reward[frame].item<double>());
        for (KindSums* sums : SumsOf(e)) {
          sums->reward.Add(error, 1);
          sums->success_score.push_back(steps[h].success_probability[b].item<float>());
          sums->success.push_back(e.success[frame].item<float>() > 0.5F);
        }
      }
    }
  }

  void RunLong(size_t i) {
    const auto& e = data_.episodes[i];
    auto first = torch::zeros({1}, torch::kLong);
    const auto start = StartFromEpisode(model_, data_, i, first, 1);
    const auto steps = Rollout(model_, start, ActionsFrom(e, first, 100), calls_, options_.seed,
                               static_cast<uint32_t>(i));
    auto real_first = RealRgb(e, first);
    auto real_last = RealRgb(e, first + 100);
    const double luminance = real_first.mean().item<double>();
    double worst = 0;
    bool finite = true;
    torch::Tensor last;
    for (size_t h = 9; h < steps.size(); h += 10) {
      last = RenderLatents(model_, steps[h].latents, start.anchors).rgb;
      worst = std::max(worst, std::abs(last.mean().item<double>() / luminance - 1.0));
      finite = finite && torch::isfinite(last).all().item<bool>();
    }
    for (KindSums* sums : SumsOf(e)) {
      auto& l = sums->long_rollout;
      l.error.Add((last - real_last).square());
      l.error_repeat.Add((real_first - real_last).square());
      l.worst_luminance_change = std::max(l.worst_luminance_change, worst);
      l.finite = l.finite && finite;
      ++sums->long_rollouts;
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
  std::map<std::string, KindSums> kinds_;
  std::map<std::string, std::vector<SheetCell>> sheet_;
  std::map<std::string, std::string> sheet_episode_;  // the one episode of each task that is shown
};

}  // namespace

double RocAuc(const std::vector<float>& scores, const std::vector<bool>& positive) {
  std::vector<size_t> order(scores.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return scores[a] < scores[b]; });
  double rank_sum = 0, positives = 0;
  for (size_t i = 0; i < order.size();) {
    size_t j = i;
    while (j < order.size() && scores[order[j]] == scores[order[i]]) ++j;
    const double rank = 0.5 * static_cast<double>(i + 1 + j);  // mean rank of the tied group
    for (; i < j; ++i) {
      if (positive[order[i]]) {
        rank_sum += rank;
        ++positives;
      }
    }
  }
  const double negatives = static_cast<double>(scores.size()) - positives;
  if (positives == 0 || negatives == 0) return std::nan("");
  return (rank_sum - positives * (positives + 1) / 2) / (positives * negatives);
}

absl::StatusOr<Evaluation> Evaluate(const WorldModel& model, const Dataset& data,
                                    const EvaluateOptions& options) {
  return Evaluator(model, data, options).Run();
}

}  // namespace gwm
