// Hyper-parameters of training. A recipe is these numbers in JSON beside the model's config.
#ifndef GWM_ENGINE_TRAIN_OPTIONS_H_
#define GWM_ENGINE_TRAIN_OPTIONS_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace gwm {

// One stage: tokenizer, dynamics, reward head or error head.
struct StageOptions {
  int64_t steps = 1000;
  int64_t batch = 16;
  int64_t shards = 1;  // equal parts of a batch, each with its own thread and draws
  double learning_rate = 5e-4;
  double weight_decay = 0.01;
  int64_t warmup_steps = 100;
  double final_rate = 0.05;  // cosine decay to this share of learning_rate
  double clip_norm = 1.0;
  double ema_decay = 0.999;  // bias-corrected by min(decay, (1 + step) / (10 + step))
};

struct VaeLossOptions {
  double kl = 1e-4;
  double changed_weight =
      4;  // extra weight of pixels that differ from the reset frame by more than 10/255
  double depth = 0.1;            // weight of inverse depth beside colour
  double rendered = 0.1;         // L1 of the image rendered from the decoded Gaussians
  int64_t rendered_rows = 1;     // rows of a batch that are rendered
  double chamfer = 0;            // set tokenizer: Chamfer distance of the centres
  double matched = 0;            // set tokenizer: L1 of the features of nearest pairs
  int64_t frames_per_reset = 4;  // frames that share one reset frame in a batch
};

struct DynamicsLossOptions {
  double noise_mean = 0.4;  // ln sigma ~ N(mean, std^2), clipped to the sampler's range
  double noise_std = 1.4;
  // Share of rows trained exactly at the sampler's first noise level; from zero instead of noise
  // where diffusion.mean_start says so.
  double at_sigma_max = 0.5;
  double changed_token_weight = 8;  // loss weight 1 + this * tanh(mean squared change of the token)
  // Std of an offset shared by the recent context frames, in standardised units of std sigma_data:
  // the drift of a rollout. One draw per frame would drown the motion between two frames.
  double context_noise = 0.05;
  int64_t unroll = 3;           // up to this many own predictions before the trained one
  double action_dropout = 0.1;  // share of rows trained without the action
};

struct RewardLossOptions {
  double latent_noise = 0.05;  // on both latents of a transition, standardised units
  // Share of rows whose latents the dynamics imagined (imagined_sequences.h): the head learns what
  // drifted latents are worth.
  double imagined_share = 0;
  // Weight of the absolute error of the decoded reward beside the cross entropy of its code: the
  // code counts every bin alike, users count reward.
  double absolute = 0;
};

struct TrainOptions {
  uint64_t seed = 0;
  bool bf16_checkpoint = true;
  int64_t log_every = 20;
  int64_t save_every = 200;
  int64_t imagined_steps = 20;  // length of the rollouts that the reward and error heads learn from
  StageOptions vae{.steps = 3000, .batch = 16, .learning_rate = 1e-3, .weight_decay = 0};
  StageOptions dynamics{.steps = 6000, .batch = 16};
  StageOptions reward{.steps = 3000, .batch = 64, .learning_rate = 1e-3};
  StageOptions error{.steps = 1500, .batch = 64, .learning_rate = 1e-3, .weight_decay = 0.05};
  VaeLossOptions vae_loss;
  DynamicsLossOptions dynamics_loss;
  RewardLossOptions reward_loss;
};

// JSON as in ConfigToJson; unknown fields are InvalidArgument.
absl::StatusOr<TrainOptions> OverrideTrainOptions(TrainOptions options, const std::string& json);
std::string TrainOptionsToJson(const TrainOptions& options);

}  // namespace gwm

#endif  // GWM_ENGINE_TRAIN_OPTIONS_H_
