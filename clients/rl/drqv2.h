// DrQ-v2 (arXiv 2107.09645) with the settings of thuml/iVideoGPT mbrl: the policy learner of the
// visual MBPO loop. Observations are stacked camera images, or vectors without an encoder.
#ifndef GWM_CLIENTS_RL_DRQV2_H_
#define GWM_CLIENTS_RL_DRQV2_H_

#include <memory>
#include <string>
#include <vector>

#include "clients/rl/agent.h"
#include "clients/rl/counter_random.h"
#include "clients/rl/drqv2_networks.h"
#include "clients/rl/learner_state.h"
#include "clients/rl/schedule.h"

namespace gwm::rl {

enum class ObservationKind {
  kPixels,  // [C, H, W] u8, square; C = 3 x stacked frames
  kVector,  // [D] f32: proprioception or pooled latents; no encoder, no augmentation
};
// "pixels" or "vector". InvalidArgument for anything else.
absl::StatusOr<ObservationKind> ParseObservationKind(std::string_view text);

struct DrQv2Options {
  ObservationKind observation = ObservationKind::kPixels;
  std::vector<int64_t> observation_shape = {9, 64, 64};
  int64_t action_dim = 4;
  int64_t trunk_width = 50;
  int64_t hidden_width = 1024;
  double learning_rate = 1e-4;
  double weight_decay = 1e-6;
  double target_rate = 0.01;  // share by which the target critic follows at each update
  Schedule exploration_std = Schedule(1.0, 0.1, 100000);  // by environment step
  double noise_clip = 0.3;       // largest deviation of actions within updates
  int64_t random_steps = 2000;   // environment steps of uniform actions at the start
  int64_t shift_pad_pixels = 4;  // of the augmentation; 0: none
  uint64_t seed = 0;
  torch::Device device = torch::kCPU;
};

class DrQv2 : public Agent {
 public:
  // InvalidArgument names the option that is out of range.
  static absl::StatusOr<std::unique_ptr<DrQv2>> Create(const DrQv2Options& options);

  absl::StatusOr<torch::Tensor> Act(const torch::Tensor& observation, ActMode mode,
                                    int64_t step) override;
  // In this order: both augmentations; critic and encoder on the clipped double value; actor on the
  // features of before that step, detached; target critic. Metrics: critic_loss, actor_loss,
  // critic_value, target_value, batch_reward, exploration_std.
  absl::StatusOr<Metrics> Update(const Batch& batch, int64_t step) override;
  absl::Status Save(const std::string& path) const override;
  absl::Status Load(const std::string& path) override;

  // Parameters of the networks that are trained; no encoder for vectors.
  int64_t encoder_parameters() const;
  int64_t actor_parameters() const;
  int64_t critic_parameters() const;

 private:
  explicit DrQv2(const DrQv2Options& options, int64_t features);

  // [B, ...] -> [B, F]; images are shifted by draw `shift_draw` first.
  torch::Tensor Features(const torch::Tensor& observation, uint64_t shift_draw);
  torch::Tensor Encode(const torch::Tensor& observation);
  torch::Tensor Noise(RandomStream stream, uint64_t counter, int64_t rows) const;
  // r + discount * min of the target critic's values at a noisy action. -> [B, 1]
  torch::Tensor TargetValue(const Batch& batch, const torch::Tensor& next_features, double std);
  void UpdateCritic(const Batch& batch, const torch::Tensor& features, const torch::Tensor& target,
                    Metrics& metrics);
  void UpdateActor(const torch::Tensor& features, double std, Metrics& metrics);

  DrQv2Options options_;
  CounterRandom random_;
  PixelEncoder encoder_ = nullptr;  // empty for vectors
  DrQv2Actor actor_;
  DrQv2Critic critic_, target_critic_;
  std::unique_ptr<torch::optim::Adam> encoder_adam_, actor_adam_, critic_adam_;
  uint64_t acts_ = 0;  // counters of draws
  uint64_t updates_ = 0;
  LearnerState state_;
};

}  // namespace gwm::rl

#endif  // GWM_CLIENTS_RL_DRQV2_H_
