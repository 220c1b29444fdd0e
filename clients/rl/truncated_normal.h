// The action distribution of DrQ-v2: a normal around the policy's mean, kept inside (-1, 1).
#ifndef GWM_CLIENTS_RL_TRUNCATED_NORMAL_H_
#define GWM_CLIENTS_RL_TRUNCATED_NORMAL_H_

#include <torch/torch.h>

#include <optional>

namespace gwm::rl {

// clamp(mean + clamp(std * noise, -clip, clip), -1 + 1e-6, 1 - 1e-6). The outer clamp passes the
// gradient straight through; without `clip` the noise is free.
// Source: TruncatedNormal of facebookresearch/drqv2 utils.py.
//   mean, noise (standard normal): [..., A] -> [..., A]
torch::Tensor SampleTruncatedNormal(const torch::Tensor& mean, double std,
                                    const torch::Tensor& noise, std::optional<double> clip);

// Log-density of the normal without its truncation, per entry: [..., A].
torch::Tensor NormalLogProb(const torch::Tensor& value, const torch::Tensor& mean, double std);

}  // namespace gwm::rl

#endif  // GWM_CLIENTS_RL_TRUNCATED_NORMAL_H_
