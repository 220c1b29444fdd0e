#include "clients/policies/mixture.h"

#include <cmath>
#include <numbers>
#include <vector>

namespace gwm::policies {

torch::Tensor MixtureLogProb(const GaussianMixture& mixture, const torch::Tensor& action) {
  const torch::Tensor z = (action.unsqueeze(-2) - mixture.mean) / mixture.std;
  const double log_root = 0.5 * std::log(2 * std::numbers::pi);
  const torch::Tensor by_mode = (-0.5 * z.square() - mixture.std.log() - log_root).sum(-1);
  return torch::logsumexp(mixture.logits.log_softmax(-1) + by_mode, -1);
}

torch::Tensor SampleMixture(const GaussianMixture& mixture, const torch::Tensor& uniform,
                            const torch::Tensor& normal, double std) {
  const int64_t modes = mixture.logits.size(-1);
  // Rounding may leave the last cumulative weight below `uniform`.
  const torch::Tensor mode =
      (mixture.logits.softmax(-1).cumsum(-1) <= uniform.unsqueeze(-1)).sum(-1).clamp_max(modes - 1);
  std::vector<int64_t> shape = mixture.mean.sizes().vec();
  shape[shape.size() - 2] = 1;
  const torch::Tensor index = mode.unsqueeze(-1).unsqueeze(-1).expand(shape);
  const torch::Tensor mean = mixture.mean.gather(-2, index).squeeze(-2);
  if (std > 0) return mean + std * normal;
  return mean + mixture.std.gather(-2, index).squeeze(-2) * normal;
}

}  // namespace gwm::policies
