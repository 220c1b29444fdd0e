// The networks of SAC: a policy and two values of an action, two hidden layers each.
#ifndef GWM_CLIENTS_RL_SAC_NETWORKS_H_
#define GWM_CLIENTS_RL_SAC_NETWORKS_H_

#include <torch/torch.h>

#include <array>

#include "clients/rl/squashed_gaussian.h"

namespace gwm::rl {

class SacActorImpl : public torch::nn::Module {
 public:
  SacActorImpl(int64_t observation_dim, int64_t action_dim, int64_t hidden_width);
  // observation [B, D], standard normal noise [B, A] -> an action with its log-density; zero noise
  // gives the mean. log std lies in [-5, 2].
  SquashedAction forward(const torch::Tensor& observation, const torch::Tensor& noise);

 private:
  torch::nn::Sequential layers_;
};
TORCH_MODULE(SacActor);

class TwinValueImpl : public torch::nn::Module {
 public:
  TwinValueImpl(int64_t observation_dim, int64_t action_dim, int64_t hidden_width);
  // observation [B, D], action [B, A] -> two of [B, 1]
  std::array<torch::Tensor, 2> forward(const torch::Tensor& observation,
                                       const torch::Tensor& action);

 private:
  torch::nn::Sequential first_, second_;
};
TORCH_MODULE(TwinValue);

}  // namespace gwm::rl

#endif  // GWM_CLIENTS_RL_SAC_NETWORKS_H_
