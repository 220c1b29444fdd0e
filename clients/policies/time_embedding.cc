#include "clients/policies/time_embedding.h"

#include <cmath>

namespace gwm::policies {

torch::Tensor EmbedTime(const torch::Tensor& time, int64_t width) {
  const int64_t half = width / 2;
  const double step = std::log(1e4) / static_cast<double>(half - 1);
  const torch::Tensor frequency = torch::exp(-step * torch::arange(half, time.options()));
  const torch::Tensor angle = time.unsqueeze(1) * frequency.unsqueeze(0);
  return torch::cat({angle.sin(), angle.cos()}, -1);
}

}  // namespace gwm::policies
