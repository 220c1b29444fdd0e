// Reward, termination and success of one transition, from the latents before and after it (methods
// section 5).
#ifndef GWM_ENGINE_MODEL_REWARD_HEAD_H_
#define GWM_ENGINE_MODEL_REWARD_HEAD_H_

#include "engine/model/config.h"
#include "engine/model/layers.h"

namespace gwm {

// sign(x) ln(1 + |x|) and its inverse, any shape.
torch::Tensor Symlog(const torch::Tensor& x);
torch::Tensor Symexp(const torch::Tensor& x);
// Two-hot code of symlog(x) over `bins` even bins on [-limit, limit]; values beyond are clamped.
// [...] -> [..., bins]
torch::Tensor TwoHot(const torch::Tensor& x, int64_t bins, double limit);
// symexp of the expected bin. logits: [..., bins] -> [...]
torch::Tensor TwoHotValue(const torch::Tensor& logits, double limit);

struct RewardOutput {
  torch::Tensor reward_logits;      // [B, bins]
  torch::Tensor terminated_logits;  // [B]
  torch::Tensor success_logits;     // [B]
};

// r_t = R(s_t, a_t, s_{t+1}): a few numbers of each token in its place, or attention pooling
// (RewardConfig::token_values), then an MLP with the action. Two frames hold positions and
// velocities, so the head carries no state of its own.
class RewardHead : public torch::nn::Module {
 public:
  explicit RewardHead(const ModelConfig& config);
  // before, after: [B, M, L] standardised; centres: [B, M, 3] m; action: [B, A].
  RewardOutput forward(const torch::Tensor& before, const torch::Tensor& after,
                       const torch::Tensor& centres, const torch::Tensor& action);
  double symlog_limit() const { return config_.reward.symlog_limit; }

 private:
  torch::Tensor Pool(const torch::Tensor& tokens);  // [B, M, D] -> [B, *]

  ModelConfig config_;
  Mlp token_{nullptr};
  RowLinear position_{nullptr}, values_{nullptr}, key_value_{nullptr};
  RmsNormLayer norm_{nullptr};
  torch::Tensor queries_;  // [Q, D]
  Mlp trunk_{nullptr};
  RowLinear reward_{nullptr}, flags_{nullptr};
};

}  // namespace gwm

#endif  // GWM_ENGINE_MODEL_REWARD_HEAD_H_
