// The denoiser network: a diffusion transformer over latent tokens (methods: section 4, gwm-paper
// block).
//
//   x += gate1 * SelfAttention(QK-RMSNorm, 3-axis RoPE of the centres; keys and values also of the
//   context tokens) x += CrossAttention(RMSNorm(x); action tokens and a learned null token) x +=
//   gate2 * Mlp(AdaRMS(x))
//
// Modulations come from the noise level and the pooled action. Context tokens never see the noise,
// so their keys and values are computed once per env step and serve all denoiser calls, as do those
// of the actions.
#ifndef GWM_ENGINE_MODEL_DIT_H_
#define GWM_ENGINE_MODEL_DIT_H_

#include <vector>

#include "engine/model/config.h"
#include "engine/model/layers.h"

namespace gwm {

// What the denoiser sees besides the noisy tokens. Latents are standardised to std sigma_data.
struct DenoiserCondition {
  torch::Tensor context;   // [B, C, M, L] past latents, oldest first; the last is the current frame
  torch::Tensor velocity;  // [B, M, L] change of the current frame since the one before it, in the
                           // scale of the residual target; 0 when there is none. The difference of
                           // two context frames is too small beside them for attention to find it.
  torch::Tensor actions;   // [B, K, A] action chunk, oldest first; the last leads to the next frame
  torch::Tensor action_mask;  // bool [B]: false takes the null token alone (action-free features);
                              // undefined = all true
  torch::Tensor centres;      // [B, M, 3] m
};

// Keys and values that do not depend on the noise, per block.
struct ConditionCache {
  Rope rope;                                // of the tokens
  std::vector<torch::Tensor> context_keys;  // [B, heads, C*M, d], normalised and rotated
  std::vector<torch::Tensor> context_values;
  std::vector<torch::Tensor> action_keys;  // [B, heads, K+1, d]
  std::vector<torch::Tensor> action_values;
  torch::Tensor action_bias;    // f32 [B, 1, 1, K+1]: 0, or -inf for actions that the mask hides
  torch::Tensor pooled_action;  // [B, D]
  torch::Tensor current;        // [B, M, L] the current frame's latents
  torch::Tensor velocity;       // [B, M, L]
  torch::Tensor position;       // [B, M, D] embedding of the centres
};

// Row b alone, as views; and the other way.
ConditionCache RowOf(const ConditionCache& cache, int64_t b);
ConditionCache CatRows(const std::vector<ConditionCache>& rows);

class DitBlockImpl : public torch::nn::Module {
 public:
  explicit DitBlockImpl(const DynamicsConfig& config);
  // x: [B, M, D]; modulation_input: silu of the conditioning vector [B, D]; block: index into the
  // cache.
  torch::Tensor forward(const torch::Tensor& x, const torch::Tensor& modulation_input,
                        const ConditionCache& cache, size_t block);
  // rope: of one frame's tokens; context_tokens: of all frames, one after another.
  void FillCache(const torch::Tensor& context_tokens, const Rope& rope,
                 const torch::Tensor& action_tokens, ConditionCache& cache);

 private:
  torch::Tensor SelfAttend(const torch::Tensor& x, const ConditionCache& cache, size_t block);
  torch::Tensor CrossAttend(const torch::Tensor& x, const ConditionCache& cache, size_t block);

  int64_t heads_;
  RowLinear qkv_{nullptr}, out_{nullptr}, context_kv_{nullptr};
  RowLinear cross_q_{nullptr}, cross_kv_{nullptr}, cross_out_{nullptr};
  RowLinear modulation_{nullptr};
  RmsNormLayer norm1_{nullptr}, norm2_{nullptr}, norm3_{nullptr}, q_norm_{nullptr},
      k_norm_{nullptr}, context_k_norm_{nullptr};
  Mlp mlp_{nullptr};
};
TORCH_MODULE(DitBlock);

struct DitOutput {
  torch::Tensor prediction;  // [B, M, L]
  torch::Tensor features;    // [B, M, D] of the last block, before the final modulation
};

class Dit : public torch::nn::Module {
 public:
  explicit Dit(const ModelConfig& config);

  ConditionCache Prepare(const DenoiserCondition& condition);
  // scaled: [B, M, L] = c_in * x; c_noise: [B].
  DitOutput forward(const torch::Tensor& scaled, const torch::Tensor& c_noise,
                    const ConditionCache& cache);

 private:
  ModelConfig config_;
  RowLinear input_{nullptr}, context_input_{nullptr}, position_{nullptr};
  Mlp noise_embed_{nullptr}, action_embed_{nullptr};
  torch::Tensor frame_embed_;   // [C, D]
  torch::Tensor action_place_;  // [K, D]
  torch::Tensor null_action_;   // [1, D]
  std::vector<DitBlock> blocks_;
  RowLinear final_modulation_{nullptr}, final_{nullptr};
  RmsNormLayer context_norm_{nullptr}, final_norm_{nullptr};
};

}  // namespace gwm

#endif  // GWM_ENGINE_MODEL_DIT_H_
