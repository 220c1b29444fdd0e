#include "engine/model/edm.h"

#include "engine/model/sampler.h"
#include "kernels/edm_step.h"

namespace gwm {

Preconditioning Precondition(const torch::Tensor& sigma, double sigma_data) {
  auto host = sigma.to(torch::kCPU, torch::kDouble).contiguous();
  auto table = torch::empty({4, host.numel()}, torch::kDouble);
  auto rows = table.accessor<double, 2>();
  for (int64_t i = 0; i < host.numel(); ++i) {
    const auto c = kernels::ComputeEdmConditioners(host.data_ptr<double>()[i], sigma_data);
    rows[0][i] = c.c_in;
    rows[1][i] = c.c_skip;
    rows[2][i] = c.c_out;
    rows[3][i] = c.c_noise;
  }
  auto f32 = table.to(torch::kFloat).to(sigma.device());
  auto column = [&](int64_t i) { return f32[i].reshape({-1, 1, 1}); };
  return {column(0), column(1), column(2), f32[3]};
}

Denoised Denoise(Dit& dit, const torch::Tensor& x, const torch::Tensor& sigma,
                 const ConditionCache& cache, double sigma_data) {
  const auto c = Precondition(sigma, sigma_data);
  auto out = dit.forward(c.c_in * x, c.c_noise, cache);
  return {c.c_skip * x + c.c_out * out.prediction, out.features};
}

torch::Tensor DenoisingLoss(Dit& dit, const torch::Tensor& target, const torch::Tensor& sigma,
                            const torch::Tensor& noise, const torch::Tensor& weight,
                            const ConditionCache& cache, double sigma_data) {
  const auto c = Precondition(sigma, sigma_data);
  auto x = target + sigma.reshape({-1, 1, 1}) * noise;
  auto prediction = dit.forward(c.c_in * x, c.c_noise, cache).prediction;
  auto wanted = (target - c.c_skip * x) / c.c_out;
  return (weight * (prediction - wanted).square()).mean();
}

torch::Tensor Sample(Dit& dit, const ConditionCache& cache, const DiffusionConfig& config,
                     int64_t calls, const torch::Tensor& unit_noise,
                     torch::Tensor* first_features) {
  SamplerState sampler(config, SamplerKind::kModel, calls, unit_noise);
  for (bool first = true; sampler.calls_left() > 0; first = false) {
    const auto sigma = torch::full({unit_noise.size(0)}, sampler.sigma(), unit_noise.options());
    const auto denoised = Denoise(dit, sampler.x(), sigma, cache, config.sigma_data);
    if (first && first_features != nullptr) *first_features = denoised.features;
    sampler = sampler.After(denoised.value);
  }
  return sampler.x();
}

}  // namespace gwm
