// What a policy of action chunks is: from the last observations to the next actions, as a pure
// function of the observations and of noise that the caller gives.
//
//   noise = DrawNoise(policy.ActNoise(), policy.spec(), rows, random, stream, counter);
//   actions = *policy.Act(observation, noise);
#ifndef GWM_CLIENTS_POLICIES_CHUNK_POLICY_H_
#define GWM_CLIENTS_POLICIES_CHUNK_POLICY_H_

#include <torch/torch.h>

#include <cstdint>

#include "absl/status/statusor.h"

namespace gwm::policies {

struct ChunkSpec {
  int64_t observation_steps = 2;  // T_obs: observations of a history, oldest first
  int64_t observation_dim = 0;    // D
  int64_t horizon = 16;           // H: actions of a chunk
  int64_t action_dim = 0;         // A
  // Where in the chunk the action of the newest observation stands, in [0, H). The convention of
  // diffusion policy is T_obs - 1: the chunk starts beside the oldest observation. 0: the chunk
  // holds future actions alone.
  int64_t current_action = 1;
};

// How much noise one row wants.
struct NoiseShape {
  int64_t uniforms = 0;  // U numbers
  int64_t normals = 0;   // N chunks of numbers
};

// Noise of B rows, f32. One-step policies read their start from `normal`, hierarchical ones one
// time and one start per level.
struct ChunkNoise {
  torch::Tensor uniform;  // [B, U] in [0, 1)
  torch::Tensor normal;   // [B, N, H, A] standard normal
};

// Thread-compatible.
class ChunkPolicy {
 public:
  virtual ~ChunkPolicy() = default;
  virtual const ChunkSpec& spec() const = 0;
  // What Act wants of `noise`.
  virtual NoiseShape ActNoise() const = 0;
  // observation [B, T_obs, D] f32 -> actions [B, H, A] f32 on the CPU, in the units of the
  // demonstrations. Each row depends on its own observations and noise alone. InvalidArgument names
  // the tensor of another shape, or with an entry that is not finite.
  virtual absl::StatusOr<torch::Tensor> Act(const torch::Tensor& observation,
                                            const ChunkNoise& noise) = 0;
};

}  // namespace gwm::policies

#endif  // GWM_CLIENTS_POLICIES_CHUNK_POLICY_H_
