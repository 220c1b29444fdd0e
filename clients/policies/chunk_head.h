// What stands behind a trained policy: a network and the law of actions that it stands for. Heads
// see normalised numbers; TrainedPolicy checks, normalises and keeps files around them. A new kind
// of head (one network call, nested flows) implements this and is added to head_factory.cc.
#ifndef GWM_CLIENTS_POLICIES_CHUNK_HEAD_H_
#define GWM_CLIENTS_POLICIES_CHUNK_HEAD_H_

#include <torch/torch.h>

#include "clients/policies/chunk_policy.h"

namespace gwm::policies {

// Rows of demonstrations.
struct ChunkBatch {
  torch::Tensor observation;  // [B, T_obs, D] f32
  torch::Tensor action;       // [B, H, A] f32
  // [B, H] f32: 1 for actions of the demonstration, 0 for padding beyond its ends, which the loss
  // leaves out. Undefined: all are real.
  torch::Tensor valid;
};

class ChunkHead {
 public:
  virtual ~ChunkHead() = default;
  // Everything that is learned.
  virtual torch::nn::Module& network() = 0;
  virtual NoiseShape ActNoise() const = 0;
  virtual NoiseShape LossNoise() const = 0;
  // observation [B, T_obs, D], noise as ActNoise says -> [B, H, A].
  virtual torch::Tensor Sample(const torch::Tensor& observation, const ChunkNoise& noise) = 0;
  // A scalar to minimise, with its graph. Noise as LossNoise says.
  virtual torch::Tensor Loss(const ChunkBatch& batch, const ChunkNoise& noise) = 0;
};

// Mean of `error` [B, H, ...] over the valid actions (`valid` as in ChunkBatch).
torch::Tensor MeanOverValid(const torch::Tensor& error, const torch::Tensor& valid);

}  // namespace gwm::policies

#endif  // GWM_CLIENTS_POLICIES_CHUNK_HEAD_H_
