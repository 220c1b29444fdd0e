// Flow matching along straight paths (arXiv 2210.02747, 2209.03003): x_t = (1 - t) noise + t data,
// velocity data - noise, time 0 at the noise.
#ifndef GWM_CLIENTS_POLICIES_FLOW_MATCHING_H_
#define GWM_CLIENTS_POLICIES_FLOW_MATCHING_H_

#include <torch/torch.h>

#include <functional>

namespace gwm::policies {

// noise and data [B, ...], time [B] -> x_t.
torch::Tensor InterpolateFlow(const torch::Tensor& noise, const torch::Tensor& data,
                              const torch::Tensor& time);

// The velocity at sample [B, ...] and time t in [0, 1).
using VelocityField = std::function<torch::Tensor(const torch::Tensor& sample, double time)>;

// `steps` >= 1 equal Euler steps from `noise` at time 0 to time 1.
torch::Tensor IntegrateFlow(const VelocityField& velocity, torch::Tensor noise, int64_t steps);

}  // namespace gwm::policies

#endif  // GWM_CLIENTS_POLICIES_FLOW_MATCHING_H_
