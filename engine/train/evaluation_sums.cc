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
    if (!s.uncertainty.empty()) {
      json["horizons"][absl::StrCat(h)]["uncertainty"] = {
          {"rank_correlation", Number(RankCorrelation(s.uncertainty, s.row_error))},
          {"rank_correlation_of_change", Number(RankCorrelation(s.change, s.row_error))},
          {"mean", Number(Mean(s.uncertainty))}};
    }
  }
  for (const auto& [h, s] : sums.novel_views) {
    json["novel_view"]["horizons"][absl::StrCat(h)] = {{"psnr", Decibel(s.imagined)},
                                                       {"psnr_tokenizer", Decibel(s.encoded)},
                                                       {"psnr_repeat_last", Decibel(s.repeat)}};
  }
  json["reward_mae"] = Number(sums.reward.mean());
  json["success_auc"] = Number(RocAuc(sums.success_score, sums.success));
  if (sums.long_rollouts > 0) {
    const auto& l = sums.long_rollout;
    json["long_rollout"] = {{"rollouts", sums.long_rollouts},
                            {"psnr_last", Decibel(l.error)},
                            {"psnr_repeat_first", Decibel(l.error_repeat)},
                            {"depth_mae_at_10_m", Number(l.depth_at_10.mean())},
                            {"depth_mae_last_m", Number(l.depth_at_last.mean())},
                            {"worst_luminance_change", l.worst_luminance_change},
                            {"finite", l.finite}};
  }
  return json;
}

}  // namespace

std::string EvaluationJson(const std::map<std::string, KindSums>& kinds) {
  Json json;
  for (const auto& [kind, sums] : kinds) json[kind] = KindJson(sums);
  return json.dump(2) + "\n";
}

std::string EvaluationTable(const std::map<std::string, KindSums>& kinds) {
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
          &out,
          "; 100 steps: %.2f dB (repeat-first %.2f), luminance within %.1f %%, depth %.0f mm "
          "(step 10: %.0f)",
          PsnrOf(l.error.mean()), PsnrOf(l.error_repeat.mean()), 100 * l.worst_luminance_change,
          1e3 * l.depth_at_last.mean(), 1e3 * l.depth_at_10.mean());
    }
    out += "\n";
    for (const auto& [h, s] : sums.novel_views) {
      absl::StrAppendFormat(&out, "%-8s novel view, h=%d: %.2f dB, tokens %.2f, repeat-last %.2f\n",
                            kind, h, PsnrOf(s.imagined.mean()), PsnrOf(s.encoded.mean()),
                            PsnrOf(s.repeat.mean()));
    }
  }
  return out;
}

}  // namespace gwm
