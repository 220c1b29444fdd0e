#include "engine/train/evaluation_sums.h"

#include <nlohmann/json.hpp>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "engine/scene/image_metrics.h"
#include "engine/train/rank_statistics.h"

namespace gwm {
namespace {

using Json = nlohmann::ordered_json;

Json Number(double x) { return std::isfinite(x) ? Json(x) : Json(nullptr); }
Json Decibel(const Pooled& p) { return p.count > 0 ? Json(PsnrOf(p.mean())) : Json(nullptr); }

// Share of the latents' change since the start frame that the rollout explains; 1 is perfect, 0 is
// "nothing moves".
double Explained(const HorizonSums& s) {
  return 1.0 - s.latent_error.mean() / s.latent_change.mean();
}

double Sharpness(const HorizonSums& s) { return s.detail_imagined.sum / s.detail_real.sum; }

double Mean(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

template <typename T>
void Append(std::vector<T>& to, const std::vector<T>& from) {
  to.insert(to.end(), from.begin(), from.end());
}

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
                                         {"depth_mae_m", Number(s.depth.mean())},
                                         {"latent_r2", Number(Explained(s))},
                                         {"sharpness_changed", Number(Sharpness(s))}};
    if (!s.expected_error.empty()) {
      json["horizons"][absl::StrCat(h)]["expected_error"] = {
          {"rank_correlation", Number(RankCorrelation(s.expected_error, s.image_error))},
          {"rank_correlation_of_change", Number(RankCorrelation(s.change, s.image_error))},
          {"mean", Number(Mean(s.expected_error))},
          {"mean_true", Number(Mean(s.latents_error))}};
    }
  }
  for (const auto& [h, s] : sums.novel_views) {
    json["novel_view"]["horizons"][absl::StrCat(h)] = {{"psnr", Decibel(s.imagined)},
                                                       {"psnr_tokenizer", Decibel(s.encoded)},
                                                       {"psnr_repeat_last", Decibel(s.repeat)}};
  }
  json["reward_mae"] = Number(sums.reward.mean());
  json["return_range_per_step"] = Number(sums.returns.width());
  json["success_auc"] = Number(RocAuc(sums.success_score, sums.success));
  if (const auto& l = sums.long_rollout; l.rollouts > 0) {
    json["long_rollout"] = {{"rollouts", l.rollouts},
                            {"psnr_last", Decibel(l.error)},
                            {"psnr_repeat_first", Decibel(l.error_repeat)},
                            {"depth_mae_at_10_m", Number(l.depth_at_10.mean())},
                            {"depth_mae_last_m", Number(l.depth_at_last.mean())},
                            {"worst_luminance_change", l.worst_luminance_change},
                            {"finite", l.finite}};
  }
  return json;
}

std::string LongRow(const LongSums& l) {
  return absl::StrFormat(
      "; %d x 100 steps: %.2f dB (repeat-first %.2f), luminance within %.1f %%, depth %.0f mm "
      "(step 10: %.0f)",
      l.rollouts, PsnrOf(l.error.mean()), PsnrOf(l.error_repeat.mean()),
      100 * l.worst_luminance_change, 1e3 * l.depth_at_last.mean(), 1e3 * l.depth_at_10.mean());
}

std::string KindRows(const std::string& kind, const KindSums& sums) {
  std::string out;
  for (const auto& [h, s] : sums.horizons) {
    absl::StrAppendFormat(
        &out, "%-8s %3d | %7.2f %7.2f %7.2f | %7.2f %7.2f %7.2f %7.2f | %6.3f %6.3f | %8.1f\n",
        kind, h, PsnrOf(s.error.mean()), PsnrOf(s.error_repeat.mean()),
        PsnrOf(s.error_tokenizer.mean()), PsnrOf(s.changed.mean()), PsnrOf(s.changed_repeat.mean()),
        PsnrOf(s.changed_shuffled.mean()), PsnrOf(s.changed_tokenizer.mean()), s.ssim.mean(),
        s.ssim_repeat.mean(), 1e3 * s.depth.mean());
  }
  absl::StrAppendFormat(&out, "%-8s reward MAE %.3f, success AUC %.3f", kind, sums.reward.mean(),
                        RocAuc(sums.success_score, sums.success));
  if (sums.long_rollout.rollouts > 0) out += LongRow(sums.long_rollout);
  out += "\n";
  for (const auto& [h, s] : sums.horizons) {
    if (s.expected_error.empty()) continue;
    absl::StrAppendFormat(&out,
                          "%-8s expected error, h=%d: rank correlation %.2f (change since the "
                          "start %.2f), mean %.4f, true %.4f\n",
                          kind, h, RankCorrelation(s.expected_error, s.image_error),
                          RankCorrelation(s.change, s.image_error), Mean(s.expected_error),
                          Mean(s.latents_error));
  }
  for (const auto& [h, s] : sums.novel_views) {
    absl::StrAppendFormat(&out, "%-8s novel view, h=%d: %.2f dB, tokens %.2f, repeat-last %.2f\n",
                          kind, h, PsnrOf(s.imagined.mean()), PsnrOf(s.encoded.mean()),
                          PsnrOf(s.repeat.mean()));
  }
  return out;
}

std::string TaskRow(const std::string& task, const KindSums& sums) {
  const auto& [h, s] = *sums.horizons.rbegin();
  auto row = absl::StrFormat("%-30s h=%d changed %.2f dB (repeat %.2f), reward MAE %.3f", task, h,
                             PsnrOf(s.changed.mean()), PsnrOf(s.changed_repeat.mean()),
                             sums.reward.mean());
  // One episode has no range.
  if (sums.returns.width() > 0) {
    absl::StrAppendFormat(&row, ", %.1f %% of the return range per step",
                          100 * sums.reward.mean() / sums.returns.width());
  }
  return row + "\n";
}

}  // namespace

void HorizonSums::Merge(const HorizonSums& other) {
  for (Pooled HorizonSums::*sum :
       {&HorizonSums::error, &HorizonSums::error_repeat, &HorizonSums::error_tokenizer,
        &HorizonSums::changed, &HorizonSums::changed_repeat, &HorizonSums::changed_shuffled,
        &HorizonSums::changed_tokenizer, &HorizonSums::ssim, &HorizonSums::ssim_repeat,
        &HorizonSums::depth, &HorizonSums::latent_error, &HorizonSums::latent_change,
        &HorizonSums::detail_imagined, &HorizonSums::detail_real}) {
    (this->*sum).Merge(other.*sum);
  }
  Append(expected_error, other.expected_error);
  Append(change, other.change);
  Append(image_error, other.image_error);
  Append(latents_error, other.latents_error);
}

void LongSums::Merge(const LongSums& other) {
  error.Merge(other.error);
  error_repeat.Merge(other.error_repeat);
  depth_at_10.Merge(other.depth_at_10);
  depth_at_last.Merge(other.depth_at_last);
  worst_luminance_change = std::max(worst_luminance_change, other.worst_luminance_change);
  finite = finite && other.finite;
  rollouts += other.rollouts;
}

void KindSums::Merge(const KindSums& other) {
  for (const auto& [h, sums] : other.horizons) horizons[h].Merge(sums);
  reward.Merge(other.reward);
  returns.Add(other.returns.lowest);
  returns.Add(other.returns.highest);
  Append(success_score, other.success_score);
  success.insert(success.end(), other.success.begin(), other.success.end());
  long_rollout.Merge(other.long_rollout);
}

std::string EvaluationJson(const EvaluationSums& sums) {
  Json json;
  for (const auto& [kind, part] : sums.kinds) json[kind] = KindJson(part);
  for (const auto& [task, part] : sums.tasks) json["tasks"][task] = KindJson(part);
  return json.dump(2) + "\n";
}

std::string EvaluationTable(const EvaluationSums& sums) {
  std::string out = absl::StrFormat("%-8s %3s | %7s %7s %7s | %7s %7s %7s %7s | %6s %6s | %8s\n",
                                    "episodes", "h", "psnr", "repeat", "tokens", "changed",
                                    "repeat", "shuffl.", "tokens", "ssim", "repeat", "depth mm");
  for (const auto& [kind, part] : sums.kinds) out += KindRows(kind, part);
  for (const auto& [task, part] : sums.tasks) out += TaskRow(task, part);
  return out;
}

}  // namespace gwm
