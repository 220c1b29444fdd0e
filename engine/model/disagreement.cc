#include "engine/model/disagreement.h"

#include "engine/model/edm.h"

namespace gwm {

torch::Tensor Disagreement(const WorldModel& model, const DynamicsState& state,
                           const torch::Tensor& action, const torch::Tensor& next,
                           const torch::Tensor& unit_noise) {
  const auto cache = model.Prepare(state, action);
  const auto& diffusion = model.config.diffusion;
  const auto sigma = torch::full({next.size(0)}, diffusion.sigma_max, next.options());
  const auto target =
      Denoise(*model.dynamics, diffusion.sigma_max * unit_noise, sigma, cache, diffusion.sigma_data)
          .value;
  const auto other = model.NextOf(cache.current, target);
  return (other - next).square().to(torch::kDouble).flatten(1).mean(1);
}

}  // namespace gwm
