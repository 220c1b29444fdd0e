// The set tokenizer (the paper's): anchors by farthest point sampling, a cross-attention encoder
// from the anchors to all Gaussians, a self-attention decoder, K Gaussians per token
// (3DShape2VecSet family; methods section 3.2).
//
// Detail-preserving decode: every reset Gaussian belongs to its nearest anchor; a token's gate
// fades its reset Gaussians out and its decoded ones in.
#ifndef GWM_ENGINE_MODEL_SET_TOKENIZER_H_
#define GWM_ENGINE_MODEL_SET_TOKENIZER_H_

#include <vector>

#include "engine/model/layers.h"
#include "engine/model/tokenizer.h"

namespace gwm {

// Pre-norm self-attention and MLP over tokens, both residual. x: [B, M, D].
class TokenBlockImpl : public torch::nn::Module {
 public:
  TokenBlockImpl(int64_t width, int64_t heads);
  torch::Tensor forward(const torch::Tensor& x);

 private:
  int64_t heads_;
  RmsNormLayer norm1_{nullptr}, norm2_{nullptr};
  RowLinear qkv_{nullptr}, out_{nullptr};
  Mlp mlp_{nullptr};
};
TORCH_MODULE(TokenBlock);

class SetTokenizer : public Tokenizer {
 public:
  explicit SetTokenizer(const ModelConfig& config);

  Anchors ChooseAnchors(const SceneBatch& scene) override;
  Posterior Encode(const SceneBatch& scene, const Anchors& anchors) override;
  // [B, N + M*K]: the faded reset Gaussians, then the decoded ones in token order.
  Gaussians Decode(const torch::Tensor& latents, const Anchors& anchors) override;

 private:
  torch::Tensor EmbedCentres(const torch::Tensor& centres);  // [B, M, 3] -> [B, M, D]
  Gaussians TokenGaussians(const torch::Tensor& raw, const Anchors& anchors);

  ModelConfig config_;
  RowLinear point_embed_{nullptr}, anchor_embed_{nullptr};
  RowLinear query_{nullptr}, key_value_{nullptr}, attend_out_{nullptr};
  RmsNormLayer query_norm_{nullptr}, point_norm_{nullptr}, encoder_norm_{nullptr};
  torch::Tensor
      log_reach_;  // [heads] ln of the distance (in token radii) over which attention falls off
  Mlp encoder_mlp_{nullptr};
  RowLinear to_posterior_{nullptr}, from_latents_{nullptr};
  std::vector<TokenBlock> blocks_;
  RmsNormLayer decoder_norm_{nullptr};
  RowLinear to_gaussians_{nullptr}, to_gate_{nullptr};
};

}  // namespace gwm

#endif  // GWM_ENGINE_MODEL_SET_TOKENIZER_H_
