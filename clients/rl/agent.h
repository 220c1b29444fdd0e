// What every learner of a policy can do. An agent sees tensors alone: where observations come from
// and where actions go (a simulator behind a wire, an imagined world) is its caller's affair.
//
//   agent = *DrQv2::Create(options);
//   action = *agent->Act(observation, ActMode::kExplore, step);
//   metrics = *agent->Update(*replay->Sample(256, counter), step);
#ifndef GWM_CLIENTS_RL_AGENT_H_
#define GWM_CLIENTS_RL_AGENT_H_

#include <torch/torch.h>

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "clients/rl/batch.h"

namespace gwm::rl {

enum class ActMode {
  kExplore,   // with the exploration noise of `step`
  kEvaluate,  // the policy's mean, without a draw
};

// Scalars of one update by their names, such as "critic_loss".
using Metrics = std::map<std::string, double>;

// Thread-compatible. Same options, same calls: same bits on one thread.
class Agent {
 public:
  virtual ~Agent() = default;

  // observation: [B, ...] of the agent's observation shape -> [B, A] f32 on the CPU, in [-1, 1].
  // `step` counts the environment steps of the agent so far. InvalidArgument for another shape.
  virtual absl::StatusOr<torch::Tensor> Act(const torch::Tensor& observation, ActMode mode,
                                            int64_t step) = 0;

  // One gradient step of every network. InvalidArgument for a batch of another shape; then nothing
  // has changed.
  virtual absl::StatusOr<Metrics> Update(const Batch& batch, int64_t step) = 0;

  // All that an exact continuation needs: weights, optimizers, counters of draws. Writes as a
  // whole or not at all. Load: NotFound, InvalidArgument for a damaged file or one of another
  // architecture; then nothing has changed.
  virtual absl::Status Save(const std::string& path) const = 0;
  virtual absl::Status Load(const std::string& path) = 0;
};

}  // namespace gwm::rl

#endif  // GWM_CLIENTS_RL_AGENT_H_
