#include "clients/rl/returns.h"

#include <vector>

namespace gwm::rl {

torch::Tensor GeneralisedAdvantage(const Trajectories& steps, double gamma, double lambda) {
  // G = A + V for every step, also across cuts: both stop at the same steps.
  const torch::Tensor value = steps.value.slice(1, 0, steps.reward.size(1));
  return LambdaReturn(steps, gamma, lambda) - value;
}

torch::Tensor LambdaReturn(const Trajectories& steps, double gamma, double lambda) {
  const int64_t count = steps.reward.size(1);
  std::vector<torch::Tensor> returns(count);
  torch::Tensor later = steps.value.select(1, count);
  for (int64_t t = count - 1; t >= 0; --t) {
    const torch::Tensor next_value = steps.value.select(1, t + 1);
    const torch::Tensor kept = lambda * (1 - steps.truncated.select(1, t));
    const torch::Tensor tail = next_value + kept * (later - next_value);
    later = steps.reward.select(1, t) + gamma * (1 - steps.terminated.select(1, t)) * tail;
    returns[t] = later;
  }
  return torch::stack(returns, 1);
}

}  // namespace gwm::rl
