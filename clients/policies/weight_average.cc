#include "clients/policies/weight_average.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace gwm::policies {

double AverageDecay::At(int64_t step) const {
  if (step <= 1) return 0;
  return std::clamp(1 - std::pow(static_cast<double>(step), -power), 0.0, most);
}

void AverageWeights(torch::nn::Module& average, const torch::nn::Module& online, double decay) {
  torch::NoGradGuard no_grad;
  const std::vector<torch::Tensor> from = online.parameters();
  std::vector<torch::Tensor> to = average.parameters();
  for (size_t i = 0; i < to.size(); ++i) to[i].lerp_(from[i], 1 - decay);
}

}  // namespace gwm::policies
