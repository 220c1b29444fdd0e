// EDM preconditioning around the denoiser network, its training loss, and the few-call sampler run
// through (Karras et al. 2022).
#ifndef GWM_ENGINE_MODEL_EDM_H_
#define GWM_ENGINE_MODEL_EDM_H_

#include <functional>

#include "engine/model/dit.h"

namespace gwm {

// c_in, c_skip, c_out, c_noise of every row, shaped to multiply [B, M, L]; c_noise is [B].
struct Preconditioning {
  torch::Tensor c_in, c_skip, c_out;  // [B, 1, 1]
  torch::Tensor c_noise;              // [B]
};
// sigma: [B], > 0.
Preconditioning Precondition(const torch::Tensor& sigma, double sigma_data);

struct Denoised {
  torch::Tensor value;     // [B, M, L] the denoised target
  torch::Tensor features;  // [B, M, D]
};
// D(x; sigma) = c_skip x + c_out F(c_in x, c_noise, condition). x: [B, M, L], sigma: [B].
Denoised Denoise(Dit& dit, const torch::Tensor& x, const torch::Tensor& sigma,
                 const ConditionCache& cache, double sigma_data);

// Mean over all entries of weight * (F - (target - c_skip x) / c_out)^2, x = target + sigma *
// noise. weight: [B, M, 1].
torch::Tensor DenoisingLoss(Dit& dit, const torch::Tensor& target, const torch::Tensor& sigma,
                            const torch::Tensor& noise, const torch::Tensor& weight,
                            const ConditionCache& cache, double sigma_data);

// Runs the model's sampler (sampler.h) through: `calls` >= 1 Euler steps, or Heun steps when
// config.heun. unit_noise: [B, M, L]. first_features: if not null, receives the features after the
// first call.
torch::Tensor Sample(Dit& dit, const ConditionCache& cache, const DiffusionConfig& config,
                     int64_t calls, const torch::Tensor& unit_noise,
                     torch::Tensor* first_features = nullptr);

}  // namespace gwm

#endif  // GWM_ENGINE_MODEL_EDM_H_
