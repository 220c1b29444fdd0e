// Soft actor-critic (arXiv 1812.05905) on vectors, with the settings of jannerm/mbpo: two values,
// a squashed Gaussian policy and a temperature that holds the policy's entropy at a target.
#ifndef GWM_CLIENTS_RL_SAC_H_
#define GWM_CLIENTS_RL_SAC_H_

#include <memory>
#include <optional>
#include <string>

#include "clients/rl/agent.h"
#include "clients/rl/counter_random.h"
#include "clients/rl/learner_state.h"
#include "clients/rl/sac_networks.h"

namespace gwm::rl {

struct SacOptions {
  int64_t observation_dim = 0;
  int64_t action_dim = 0;
  int64_t hidden_width = 256;  // two hidden layers
  double learning_rate = 3e-4;
  double target_rate = 5e-3;  // share by which the target values follow at each update
  double initial_temperature = 1.0;
  std::optional<double> target_entropy;  // nats; none: -action_dim
  int64_t random_steps = 5000;           // environment steps of uniform actions at the start
  uint64_t seed = 0;
  torch::Device device = torch::kCPU;
};

class Sac : public Agent {
 public:
  // InvalidArgument names the option that is out of range.
  static absl::StatusOr<std::unique_ptr<Sac>> Create(const SacOptions& options);

  // observation: [B, D] f32
  absl::StatusOr<torch::Tensor> Act(const torch::Tensor& observation, ActMode mode,
                                    int64_t step) override;
  // In this order: values, policy, temperature, target values. Metrics: critic_loss, actor_loss,
  // temperature, entropy, critic_value, target_value, batch_reward.
  absl::StatusOr<Metrics> Update(const Batch& batch, int64_t step) override;
  absl::Status Save(const std::string& path) const override;
  absl::Status Load(const std::string& path) override;

 private:
  explicit Sac(const SacOptions& options);

  torch::Tensor Noise(RandomStream stream, uint64_t counter, int64_t rows) const;
  torch::Tensor TargetValue(const Batch& batch);  // [B, 1]
  void UpdateCritic(const Batch& batch, Metrics& metrics);
  void UpdateActor(const Batch& batch, Metrics& metrics);
  void UpdateTemperature(double mean_log_prob, Metrics& metrics);

  SacOptions options_;
  double target_entropy_;
  CounterRandom random_;
  SacActor actor_;
  TwinValue critic_, target_critic_;
  torch::Tensor log_temperature_;  // [1]
  std::unique_ptr<torch::optim::Adam> actor_adam_, critic_adam_, temperature_adam_;
  uint64_t acts_ = 0;  // counters of draws
  uint64_t updates_ = 0;
  LearnerState state_;
};

}  // namespace gwm::rl

#endif  // GWM_CLIENTS_RL_SAC_H_
