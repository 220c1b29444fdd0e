// The transformer of robomimic's behaviour cloning (models/transformers.py, models/obs_nets.py of
// ARISE-Initiative/robomimic), not causal and without dropout.
#ifndef GWM_CLIENTS_POLICIES_BC_TRANSFORMER_H_
#define GWM_CLIENTS_POLICIES_BC_TRANSFORMER_H_

#include <vector>

#include "clients/policies/attention.h"
#include "clients/policies/chunk_policy.h"
#include "clients/policies/layers.h"

namespace gwm::policies {

struct BcTransformerShape {
  int64_t layers = 6;
  int64_t heads = 8;
  int64_t width = 512;
};

// Norm first: self-attention without biases of query, key and value, MLP of four times the width.
class SelfAttentionBlockImpl : public torch::nn::Module {
 public:
  SelfAttentionBlockImpl(int64_t width, int64_t heads);
  // [B, T, E] -> [B, T, E]
  torch::Tensor forward(const torch::Tensor& x);

 private:
  int64_t heads_;
  Linear in_, out_, wide_, narrow_;
  LayerNorm norm_attention_, norm_mlp_;
};
TORCH_MODULE(SelfAttentionBlock);

// One token per observation; where the chunk is longer than the history, empty tokens follow. Token
// i gives what action i needs.
class BcTransformerImpl : public torch::nn::Module, public DrawnModule {
 public:
  BcTransformerImpl(const ChunkSpec& spec, int64_t out, const BcTransformerShape& shape);
  // [B, T_obs, D] -> [B, H, out]
  torch::Tensor forward(const torch::Tensor& observation);
  void Draw(const CounterRandom& random, uint64_t number) override;

 private:
  int64_t horizon_;
  torch::Tensor position_;  // "embed_timestep" [1, max(T_obs, H), E]
  Linear observation_in_;
  LayerNorm norm_in_;
  std::vector<SelfAttentionBlock> blocks_;
  LayerNorm norm_out_;
  Linear head_;
};
TORCH_MODULE(BcTransformer);

}  // namespace gwm::policies

#endif  // GWM_CLIENTS_POLICIES_BC_TRANSFORMER_H_
