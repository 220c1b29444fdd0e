// The network of a diffusion or flow policy: noisy chunk, time and observations in, chunk out.
#ifndef GWM_CLIENTS_POLICIES_DENOISER_H_
#define GWM_CLIENTS_POLICIES_DENOISER_H_

#include <torch/torch.h>

namespace gwm::policies {

class Denoiser : public torch::nn::Module {
 public:
  // sample: [B, H, A], time: [B] f32 (diffusion steps, or flow time in the same scale),
  // observation: [B, T_obs, D] -> [B, H, A].
  virtual torch::Tensor Predict(const torch::Tensor& sample, const torch::Tensor& time,
                                const torch::Tensor& observation) = 0;
};

}  // namespace gwm::policies

#endif  // GWM_CLIENTS_POLICIES_DENOISER_H_
