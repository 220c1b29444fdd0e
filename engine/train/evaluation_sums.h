// What an evaluation adds up, and its two forms for readers: JSON and a table.
#ifndef GWM_ENGINE_TRAIN_EVALUATION_SUMS_H_
#define GWM_ENGINE_TRAIN_EVALUATION_SUMS_H_

#include <torch/torch.h>

#include <cmath>
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
  double mean() const { return count > 0 ? sum / count : std::nan(""); }
};

struct HorizonSums {
  Pooled error, error_repeat, error_tokenizer, changed, changed_repeat, changed_shuffled,
      changed_tokenizer, ssim, ssim_repeat, depth;
  Pooled latent_error, latent_change;   // squared, standardised latents
  Pooled detail_imagined, detail_real;  // absolute Laplacian of the luminance on changed pixels
  // One entry per rollout: the disagreement summed over its steps, the squared change of the
  // latents since the start (what anyone could take for it), and the true squared error of the
  // image.
  std::vector<double> uncertainty, change, row_error;
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
};
struct KindSums {
  std::map<int64_t, HorizonSums> horizons;
  std::map<int64_t, NovelViewSums> novel_views;
  Pooled reward;
  std::vector<float> success_score;
  std::vector<bool> success;
  LongSums long_rollout;
  int64_t long_rollouts = 0;
};

// The figures of every kind of episode ("all", "expert", ...), as `gwm-train eval --json` writes
// them.
std::string EvaluationJson(const std::map<std::string, KindSums>& kinds);
// The same for people.
std::string EvaluationTable(const std::map<std::string, KindSums>& kinds);

}  // namespace gwm

#endif  // GWM_ENGINE_TRAIN_EVALUATION_SUMS_H_
