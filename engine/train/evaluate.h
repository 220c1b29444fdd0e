// The table that every decision about the model is taken by: rendered rollouts against real
// held-out episodes.
//
// PSNR is that of the squared error pooled over all frames and pixels, of the rendered float image
// in [0, 1]. "Changed" pixels are those where any colour of the real frame differs from the real
// start frame by more than 10/255.
#ifndef GWM_ENGINE_TRAIN_EVALUATE_H_
#define GWM_ENGINE_TRAIN_EVALUATE_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/data/dataset.h"
#include "engine/io/image.h"
#include "engine/model/world_model.h"

namespace gwm {

struct EvaluateOptions {
  std::vector<int64_t> horizons = {1, 5, 10, 20};
  int64_t first_start = 2;
  int64_t start_every = 5;
  int64_t calls = 0;  // sampler calls; 0: the config's
  uint64_t seed = 0;
  bool long_rollout = true;  // 100 steps from the first frame
  bool quiet = false;
  // Not owned. Episodes with one view more than the model takes, for the figures of a novel view
  // (evaluate_novel.h); they go into "all".
  const Dataset* novel_view = nullptr;

  int64_t CallsFor(const WorldModel& model) const {
    return calls > 0 ? calls : model.config.diffusion.calls;
  }
};

// One rollout of the evaluation, for pictures.
struct ScoredStart {
  std::string task;
  size_t episode = 0;        // index in the data
  int64_t start = 0;         // frame
  int64_t steps = 0;         // the longest horizon
  double squared_error = 0;  // mean of the rendered image at that horizon
};

struct Evaluation {
  // {"all": {"horizons": {"1": {"psnr", "psnr_repeat_last", "psnr_changed",
  // "psnr_changed_repeat_last", "psnr_changed_shuffled", "psnr_tokenizer", "psnr_changed_tokenizer"
  // (the real frame through the tokenizer alone), "ssim", "ssim_repeat_last", "depth_mae_m",
  // "latent_r2", "sharpness_changed" (detail of the image against that of the real one, 1 is
  // equal), "expected_error" (of the error head: rank correlation with the squared error of the
  // image over rollouts, the same of the change since the start as its trivial baseline, its mean
  // and that of the true squared error of the latents)}, ...}, "reward_mae",
  // "return_range_per_step" (of whole episodes: what to hold reward_mae against), "success_auc",
  // "long_rollout", "novel_view"}, "expert": {...}, ..., "tasks": {TASK: {...}, ...}}: one entry
  // per kind of episode and per task. Figures that do not exist (one class only, no changed pixel,
  // horizon longer than the episodes) are null.
  std::string json;
  std::string table;                // the same for people
  std::vector<ScoredStart> starts;  // those that reach the longest horizon
  io::Image contact_sheet;  // real | imagined | repeat-last at each horizon, one row per task
};

// Neither the model nor the data is changed. InvalidArgument when no episode is longer than
// first_start + 1 frames.
absl::StatusOr<Evaluation> Evaluate(const WorldModel& model, const Dataset& data,
                                    const EvaluateOptions& options);

}  // namespace gwm

#endif  // GWM_ENGINE_TRAIN_EVALUATE_H_
