#include "clients/rl/truncated_normal.h"

#include <cmath>
#include <numbers>

namespace gwm::rl {

torch::Tensor SampleTruncatedNormal(const torch::Tensor& mean, double std,
                                    const torch::Tensor& noise, std::optional<double> clip) {
  constexpr double kEdge = 1e-6;  // keeps actions off +-1, where the density would be unbounded
  torch::Tensor deviation = noise * std;
  if (clip) deviation = deviation.clamp(-*clip, *clip);
  const torch::Tensor free = mean + deviation;
  const torch::Tensor kept = free.detach().clamp(-1 + kEdge, 1 - kEdge);
  return free - free.detach() + kept;
}

torch::Tensor NormalLogProb(const torch::Tensor& value, const torch::Tensor& mean, double std) {
  const torch::Tensor standardised = (value - mean) / std;
  return -0.5 * standardised.square() - std::log(std) - 0.5 * std::log(2 * std::numbers::pi);
}

}  // namespace gwm::rl
