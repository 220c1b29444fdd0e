#include "clients/policies/chunk_head.h"

#include <vector>

namespace gwm::policies {

torch::Tensor MeanOverValid(const torch::Tensor& error, const torch::Tensor& valid) {
  if (!valid.defined()) return error.mean();
  std::vector<int64_t> shape = valid.sizes().vec();
  shape.resize(error.dim(), 1);
  const torch::Tensor mask = valid.reshape(shape).expand_as(error);
  return (error * mask).sum() / mask.sum().clamp_min(1);
}

}  // namespace gwm::policies
