#include "engine/model/released/sampler.h"

#include <algorithm>
#include <cmath>

namespace gwm::released {
namespace {

// sigma(1 + gamma) for the churn factor of this sigma.
double ChurnedSigma(double sigma, const SamplerOptions& options) {
  if (sigma < options.s_tmin || sigma > options.s_tmax) return sigma;
  return sigma *
         (1 + std::min(options.s_churn / static_cast<double>(options.steps), std::sqrt(2.0) - 1));
}

}  // namespace

torch::Tensor KarrasSchedule(const SamplerOptions& options) {
  const double from = std::pow(options.sigma_max, 1 / options.rho);
  const double to = std::pow(options.sigma_min, 1 / options.rho);
  const torch::Tensor ramp = torch::linspace(0, 1, options.steps, torch::kFloat32);
  return torch::cat({(from + ramp * (to - from)).pow(options.rho), torch::zeros({1})});
}

Sample SampleFrame(Denoiser& denoiser, const torch::Tensor& previous, const torch::Tensor& action,
                   const torch::Tensor& initial_noise, const SamplerOptions& options,
                   const DrawNoise& draw) {
  torch::NoGradGuard no_grad;
  const torch::Tensor schedule = KarrasSchedule(options);
  const int64_t batch = previous.size(0);
  torch::Tensor context = previous.flatten(1, 2);  // [B, T * C, H, W]
  torch::Tensor x = initial_noise;
  torch::Tensor context_sigma;
  Sample sample{x, {x}};
  for (int64_t i = 0; i < options.steps; ++i) {
    const double sigma = schedule[i].item<float>(), next = schedule[i + 1].item<float>();
    const double sigma_hat = ChurnedSigma(sigma, options);
    if (sigma_hat > sigma) {
      const double extra = std::sqrt(sigma_hat * sigma_hat - sigma * sigma);
      x = x + draw(Draw::kChurn, x.sizes()) * (options.s_noise * extra);
    }
    if (options.s_cond > 0) {
      context_sigma = torch::full({batch}, options.s_cond, x.options());
      context = context + options.s_cond * draw(Draw::kContext, context.sizes());
    }
    auto slope_at = [&](const torch::Tensor& point, double denoise_sigma, double divisor) {
      const torch::Tensor level = torch::full({batch}, denoise_sigma, point.options());
      return (point - denoiser->Denoise(point, level, context_sigma, context, action)) / divisor;
    };
    const torch::Tensor slope = slope_at(x, sigma, sigma_hat);
    const torch::Tensor euler = x + slope * (next - sigma_hat);
    x = options.order == 1 || next == 0
            ? euler
            : x + (slope + slope_at(euler, next, next)) / 2 * (next - sigma_hat);
    sample.trajectory.push_back(x);
  }
  sample.x = x;
  return sample;
}

}  // namespace gwm::released
