#include "clients/policies/flow_matching.h"

#include <utility>
#include <vector>

namespace gwm::policies {

torch::Tensor InterpolateFlow(const torch::Tensor& noise, const torch::Tensor& data,
                              const torch::Tensor& time) {
  std::vector<int64_t> shape(data.dim(), 1);
  shape[0] = time.size(0);
  const torch::Tensor t = time.reshape(shape);
  return (1 - t) * noise + t * data;
}

torch::Tensor IntegrateFlow(const VelocityField& velocity, torch::Tensor noise, int64_t steps) {
  torch::Tensor sample = std::move(noise);
  const double step = 1.0 / static_cast<double>(steps);
  for (int64_t i = 0; i < steps; ++i) {
    sample = sample + step * velocity(sample, static_cast<double>(i) * step);
  }
  return sample;
}

}  // namespace gwm::policies
