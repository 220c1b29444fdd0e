// Advantages and returns along trajectories.
#ifndef GWM_CLIENTS_RL_RETURNS_H_
#define GWM_CLIENTS_RL_RETURNS_H_

#include <torch/torch.h>

namespace gwm::rl {

// B trajectories of T steps; step t goes from state t to state t + 1.
struct Trajectories {
  torch::Tensor reward;      // [B, T] f32 or f64
  torch::Tensor value;       // [B, T + 1] of the states
  torch::Tensor terminated;  // [B, T] 0 or 1: the next state is worth nothing
  torch::Tensor truncated;   // [B, T] 0 or 1: the episode was cut; the next state keeps its value
};

// Generalised advantage estimate (arXiv 1506.02438, eq. 16): sums of (gamma lambda)^k delta up to
// the episode's end. -> [B, T]
torch::Tensor GeneralisedAdvantage(const Trajectories& steps, double gamma, double lambda);

// TD(lambda) return, G_t = r_t + gamma ((1 - lambda) V_{t+1} + lambda G_{t+1}): V_{t+1} alone where
// the episode was truncated and at the last step, nothing after a termination. Also called the
// lambda return of an imagined rollout (DreamerV3, arXiv 2301.04104, eq. 7). -> [B, T]
torch::Tensor LambdaReturn(const Trajectories& steps, double gamma, double lambda);

}  // namespace gwm::rl

#endif  // GWM_CLIENTS_RL_RETURNS_H_
