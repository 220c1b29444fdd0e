#include "clients/rl/sac_networks.h"

#include "clients/rl/layers.h"

namespace gwm::rl {

SacActorImpl::SacActorImpl(int64_t observation_dim, int64_t action_dim, int64_t hidden_width) {
  layers_ = register_module("layers",
                            MakeMlp({observation_dim, hidden_width, hidden_width, 2 * action_dim}));
}

SquashedAction SacActorImpl::forward(const torch::Tensor& observation, const torch::Tensor& noise) {
  constexpr double kLowestLogStd = -5, kHighestLogStd = 2;
  const std::vector<torch::Tensor> halves = layers_->forward(observation).chunk(2, -1);
  const torch::Tensor& mean = halves[0];
  const torch::Tensor log_std =
      BoundLogStd(halves[1], kLowestLogStd, kHighestLogStd - kLowestLogStd);
  return Squash(mean, mean + noise * log_std.exp(), GaussianLogProb(noise, log_std));
}

TwinValueImpl::TwinValueImpl(int64_t observation_dim, int64_t action_dim, int64_t hidden_width) {
  const std::vector<int64_t> widths = {observation_dim + action_dim, hidden_width, hidden_width, 1};
  first_ = register_module("first", MakeMlp(widths));
  second_ = register_module("second", MakeMlp(widths));
}

std::array<torch::Tensor, 2> TwinValueImpl::forward(const torch::Tensor& observation,
                                                    const torch::Tensor& action) {
  const torch::Tensor joined = torch::cat({observation, action}, -1);
  return {first_->forward(joined), second_->forward(joined)};
}

}  // namespace gwm::rl
