// A batch of transitions: what a replay hands to an agent.
#ifndef GWM_CLIENTS_RL_BATCH_H_
#define GWM_CLIENTS_RL_BATCH_H_

#include <torch/torch.h>

namespace gwm::rl {

// Row b: in `observation` the agent took `action`, collected `reward` over the next n steps (fewer
// where the episode ended) and arrived at `next_observation`, whose value counts `discount`.
struct Batch {
  torch::Tensor observation;       // [B, C, H, W] u8 pixels or [B, D] f32
  torch::Tensor action;            // [B, A] f32 in [-1, 1]
  torch::Tensor reward;            // [B] f32, sum of gamma^i r_i
  torch::Tensor discount;          // [B] f32, gamma^steps; 0 after a termination
  torch::Tensor next_observation;  // as observation

  int64_t size() const { return reward.defined() ? reward.size(0) : 0; }
};

inline Batch ToDevice(const Batch& batch, torch::Device device) {
  return {batch.observation.to(device), batch.action.to(device), batch.reward.to(device),
          batch.discount.to(device), batch.next_observation.to(device)};
}

}  // namespace gwm::rl

#endif  // GWM_CLIENTS_RL_BATCH_H_
