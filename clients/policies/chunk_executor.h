// Runs a chunk policy in environments: keeps each one's history of observations, asks for a new
// chunk every few steps, and gives one action per step.
#ifndef GWM_CLIENTS_POLICIES_CHUNK_EXECUTOR_H_
#define GWM_CLIENTS_POLICIES_CHUNK_EXECUTOR_H_

#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "clients/policies/chunk_policy.h"
#include "clients/policies/random_stream.h"

namespace gwm::policies {

struct ExecutorOptions {
  int64_t environments = 1;
  // Steps between two chunks: at most spec.horizon - spec.current_action. Diffusion policy executes
  // 8 of 16.
  int64_t execute_steps = 8;
  // Temporal ensembling (ACT, arXiv 2304.13705): the action is the mean over all chunks that reach
  // this step, with weights exp(-decay * i), i = 0 for the oldest. ACT: 0.01, with a chunk every
  // step. None: the newest chunk alone.
  std::optional<double> ensemble_decay;
  uint64_t seed = 0;
};

// ACT's weights of `count` chunks, oldest first; their sum is 1.
std::vector<double> EnsembleWeights(int64_t count, double decay);

// Thread-compatible. The actions of an environment are a function of the policy, the seed, the
// environment's number, the number of its episode and its observations; who shares a call moves
// them by no more than the rounding of a batched policy.
class ChunkExecutor {
 public:
  // `policy` must outlive the executor. InvalidArgument names the option that is out of range.
  static absl::StatusOr<std::unique_ptr<ChunkExecutor>> Create(ChunkPolicy& policy,
                                                               const ExecutorOptions& options);

  // Starts the episode `episode` of an environment: no history, no chunk. InvalidArgument for an
  // unknown environment.
  absl::Status Reset(int64_t environment, uint64_t episode);

  // observation [N, D] f32: the newest of each of the N named environments -> action [N, A] f32.
  // Before the first T_obs observations the first one stands for the missing ones. InvalidArgument
  // for an environment that is unknown or named twice and for another shape; errors of the policy.
  // After an error nothing has changed.
  absl::StatusOr<torch::Tensor> Act(std::span<const int64_t> environments,
                                    const torch::Tensor& observation);

 private:
  struct Chunk {
    torch::Tensor actions;  // [H, A]
    int64_t next = 0;       // the action of this step
  };
  struct Environment {
    uint64_t episode = 0;
    uint64_t calls = 0;         // chunks asked for in this episode: counter of draws
    int64_t steps_to_call = 0;  // 0: a chunk is due
    torch::Tensor history;      // [T_obs, D], undefined before the first observation
    std::deque<Chunk> chunks;   // oldest first
  };

  ChunkExecutor(ChunkPolicy& policy, const ExecutorOptions& options);

  absl::Status CheckCall(std::span<const int64_t> environments,
                         const torch::Tensor& observation) const;
  void Observe(Environment& environment, const torch::Tensor& observation) const;
  // Gives every environment whose chunk is due a new one, with one call of the policy.
  absl::Status AskForChunks(std::span<const int64_t> numbers, std::vector<Environment>& states);
  torch::Tensor NextAction(Environment& environment) const;  // [A]

  ChunkPolicy& policy_;
  ExecutorOptions options_;
  std::vector<Environment> environments_;
};

}  // namespace gwm::policies

#endif  // GWM_CLIENTS_POLICIES_CHUNK_EXECUTOR_H_
