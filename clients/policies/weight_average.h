// Exponential moving average of weights whose decay grows with the steps.
#ifndef GWM_CLIENTS_POLICIES_WEIGHT_AVERAGE_H_
#define GWM_CLIENTS_POLICIES_WEIGHT_AVERAGE_H_

#include <torch/torch.h>

#include <cstdint>

namespace gwm::policies {

// Source: real-stanford/diffusion_policy model/diffusion/ema_model.py.
struct AverageDecay {
  double power = 0.75;
  double most = 0.9999;

  // Of the step `step` >= 0: 1 - step'^-power within [0, most], where step' = max(1, step);
  // 0 (a copy) at the steps 0 and 1.
  double At(int64_t step) const;
};

// average <- decay * average + (1 - decay) * online, for every parameter. Both modules have the
// same architecture.
void AverageWeights(torch::nn::Module& average, const torch::nn::Module& online, double decay);

}  // namespace gwm::policies

#endif  // GWM_CLIENTS_POLICIES_WEIGHT_AVERAGE_H_
