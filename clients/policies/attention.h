// Multi-head attention with the parameter names of torch.nn.MultiheadAttention.
#ifndef GWM_CLIENTS_POLICIES_ATTENTION_H_
#define GWM_CLIENTS_POLICIES_ATTENTION_H_

#include "clients/policies/layers.h"

namespace gwm::policies {

// softmax(q k^T / sqrt(d) + mask) v over `heads` parts of the last axis.
// query [B, Q, E], key and value [B, K, E], mask [Q, K] of 0 and -inf, or undefined -> [B, Q, E].
// Requires that `heads` divides E.
torch::Tensor Attend(const torch::Tensor& query, const torch::Tensor& key,
                     const torch::Tensor& value, int64_t heads, const torch::Tensor& mask);

class MultiheadAttentionImpl : public torch::nn::Module, public DrawnModule {
 public:
  // Requires that `heads` divides `width`.
  MultiheadAttentionImpl(int64_t width, int64_t heads);
  // query [B, Q, E], memory [B, K, E], mask as in Attend -> [B, Q, E]
  torch::Tensor forward(const torch::Tensor& query, const torch::Tensor& memory,
                        const torch::Tensor& mask);
  void Draw(const CounterRandom& random, uint64_t number) override;

  torch::Tensor in_weight;  // "in_proj_weight" [3 E, E]: query, key, value
  torch::Tensor in_bias;    // "in_proj_bias" [3 E]

 private:
  int64_t heads_;
  Linear out_;
};
TORCH_MODULE(MultiheadAttention);

}  // namespace gwm::policies

#endif  // GWM_CLIENTS_POLICIES_ATTENTION_H_
