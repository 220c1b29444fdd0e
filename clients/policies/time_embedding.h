// How a network is told the time of a diffusion or a flow.
#ifndef GWM_CLIENTS_POLICIES_TIME_EMBEDDING_H_
#define GWM_CLIENTS_POLICIES_TIME_EMBEDDING_H_

#include <torch/torch.h>

namespace gwm::policies {

// [B] f32 -> [B, width] f32: [sin | cos] of time * exp(-ln(10^4) i / (width / 2 - 1)). Requires an
// even width of 4 or more. Source: real-stanford/diffusion_policy
// model/diffusion/positional_embedding.py.
torch::Tensor EmbedTime(const torch::Tensor& time, int64_t width);

}  // namespace gwm::policies

#endif  // GWM_CLIENTS_POLICIES_TIME_EMBEDDING_H_
