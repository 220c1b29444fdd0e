// The transformer of diffusion policy (arXiv 2303.04137), compatible with the weights of
// real-stanford/diffusion_policy model/diffusion/transformer_for_diffusion.py (observations and
// time as condition, no condition layers). No dropout: every pass is deterministic.
#ifndef GWM_CLIENTS_POLICIES_TRANSFORMER_FOR_DIFFUSION_H_
#define GWM_CLIENTS_POLICIES_TRANSFORMER_FOR_DIFFUSION_H_

#include <vector>

#include "clients/policies/attention.h"
#include "clients/policies/denoiser.h"
#include "clients/policies/layers.h"

namespace gwm::policies {

struct TransformerOptions {
  int64_t layers = 8;
  int64_t heads = 4;    // divides width
  int64_t width = 256;  // even, 4 or more
  // Action i sees the actions up to i and the observations up to i.
  bool causal = true;
};

// Norm first: self-attention, attention to the condition, MLP of four times the width.
class DecoderLayerImpl : public torch::nn::Module {
 public:
  DecoderLayerImpl(int64_t width, int64_t heads);
  // x [B, H, E], memory [B, S, E], masks as in Attend -> [B, H, E]
  torch::Tensor forward(const torch::Tensor& x, const torch::Tensor& memory,
                        const torch::Tensor& mask, const torch::Tensor& memory_mask);

 private:
  MultiheadAttention self_attention_, cross_attention_;
  Linear wide_, narrow_;
  LayerNorm norm_self_, norm_cross_, norm_mlp_;
};
TORCH_MODULE(DecoderLayer);

class TransformerForDiffusionImpl : public Denoiser, public DrawnModule {
 public:
  TransformerForDiffusionImpl(int64_t sample_width, int64_t horizon, int64_t observation_width,
                              int64_t observation_steps, const TransformerOptions& options);

  torch::Tensor Predict(const torch::Tensor& sample, const torch::Tensor& time,
                        const torch::Tensor& observation) override;
  void Draw(const CounterRandom& random, uint64_t number) override;

 private:
  Linear sample_in_, observation_in_, condition_wide_, condition_narrow_;
  torch::Tensor position_;            // "pos_emb" [1, H, E]
  torch::Tensor condition_position_;  // "cond_pos_emb" [1, 1 + T_obs, E]
  std::vector<DecoderLayer> layers_;
  LayerNorm norm_;
  Linear head_;
  // Buffers "mask" [H, H] and "memory_mask" [H, 1 + T_obs] of 0 and -inf, added to the scores of
  // attention; undefined when not causal. Policy files do not hold them.
  torch::Tensor mask_, memory_mask_;
};
TORCH_MODULE(TransformerForDiffusion);

}  // namespace gwm::policies

#endif  // GWM_CLIENTS_POLICIES_TRANSFORMER_FOR_DIFFUSION_H_
