// What an evaluation adds up, and its two forms for readers: JSON and a table.
#ifndef GWM_ENGINE_TRAIN_EVALUATION_SUMS_H_
#define GWM_ENGINE_TRAIN_EVALUATION_SUMS_H_

#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <string>
#include <vector>

namespace gwm {

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
  void Merge(const Pooled& other) { Add(other.sum, other.count); }
  double mean() const { return count > 0 ? sum / count : std::nan(""); }
};

struct HorizonSums {
  Pooled error, error_repeat, error_tokenizer, changed, changed_repeat, changed_shuffled,
      changed_tokenizer, ssim, ssim_repeat, depth;
  Pooled latent_error, latent_change;   // squared, standardised latents
  Pooled detail_imagined, detail_real;  // absolute Laplacian of the luminance on changed pixels
  // One entry per rollout, empty without an error head: what it expects, the squared change of the
  // latents since the start (what anyone could take for it), and the true squared errors of the
  // image and of the latents; those of latents as shares of their variance.
  std::vector<double> expected_error, change, image_error, latents_error;

  void Merge(const HorizonSums& other);
};
// Squared errors at a hidden camera, see evaluate_novel.h.
struct NovelViewSums {
  Pooled imagined, encoded, repeat;
};
struct LongSums {
  Pooled error, error_repeat;
  Pooled depth_at_10, depth_at_last;  // absolute, m
  double worst_luminance_change = 0;
  bool finite = true;
  int64_t rollouts = 0;

  void Merge(const LongSums& other);
};
// What whole episodes paid per step.
struct ReturnRange {
  double lowest = std::numeric_limits<double>::infinity();
  double highest = -std::numeric_limits<double>::infinity();
  void Add(double return_per_step) {
    lowest = std::min(lowest, return_per_step);
    highest = std::max(highest, return_per_step);
  }
  double width() const { return highest - lowest; }
};
struct KindSums {
  std::map<int64_t, HorizonSums> horizons;
  std::map<int64_t, NovelViewSums> novel_views;
  Pooled reward;  // absolute error
  ReturnRange returns;
  std::vector<float> success_score;
  std::vector<bool> success;
  LongSums long_rollout;

  // All but novel_views.
  void Merge(const KindSums& other);
};

struct EvaluationSums {
  std::map<std::string, KindSums> kinds;  // "all", "expert", ...
  std::map<std::string, KindSums> tasks;
};
// All figures, as `gwm-train eval --json` writes them.
std::string EvaluationJson(const EvaluationSums& sums);
// The same for people; one line per task.
std::string EvaluationTable(const EvaluationSums& sums);

}  // namespace gwm

#endif  // GWM_ENGINE_TRAIN_EVALUATION_SUMS_H_
