#include "clients/rl/squashed_gaussian.h"

#include <cmath>
#include <numbers>

namespace gwm::rl {

torch::Tensor BoundLogStd(const torch::Tensor& raw, double low, double range) {
  return low + 0.5 * range * (torch::tanh(raw) + 1);
}

torch::Tensor GaussianLogProb(const torch::Tensor& noise, const torch::Tensor& log_std) {
  static const double kHalfLogTwoPi = 0.5 * std::log(2 * std::numbers::pi);
  return (-0.5 * noise.square() - log_std - kHalfLogTwoPi).sum(-1, /*keepdim=*/true);
}

SquashedAction Squash(const torch::Tensor& mean, const torch::Tensor& draw,
                      const torch::Tensor& log_prob) {
  const torch::Tensor action = torch::tanh(draw);
  const torch::Tensor log_slope = torch::log(torch::relu(1 - action.square()) + 1e-6);
  return {torch::tanh(mean), action, log_prob - log_slope.sum(-1, /*keepdim=*/true)};
}

}  // namespace gwm::rl
