// The set tokenizer (the paper's): anchors by farthest point sampling, a cross-attention encoder
// from the anchors to all Gaussians, a self-attention decoder, K Gaussians per token
// (3DShape2VecSet family; methods section 3.2). Beside the attention, the changes in an anchor's
// cell enter through functions of the place in the cell (set_cells.h).
//
// Detail-preserving decode: every reset Gaussian is a query of the decoder and gets a gated change;
// see SetDecoder.
#ifndef GWM_ENGINE_MODEL_SET_TOKENIZER_H_
#define GWM_ENGINE_MODEL_SET_TOKENIZER_H_

#include "engine/model/layers.h"
#include "engine/model/set_decoder.h"
#include "engine/model/set_points.h"
#include "engine/model/tokenizer.h"

namespace gwm {

class SetTokenizer : public Tokenizer {
 public:
  explicit SetTokenizer(const ModelConfig& config);

  Anchors ChooseAnchors(const SceneBatch& scene) override;
  Posterior Encode(const SceneBatch& scene, const Anchors& anchors) override;
  // [B, N + M*K]: the reset Gaussians with their changes, then the fresh ones in token order.
  Gaussians Decode(const torch::Tensor& latents, const Anchors& anchors) override;

 private:
  // [B, M, D]: where each centre is and how its cell looks at Reset.
  torch::Tensor EmbedAnchors(const Anchors& anchors);
  // [B, M, 320]: moments of the news of each cell.
  torch::Tensor NewsMoments(const SceneNews& news, const Anchors& anchors) const;
  // The Gaussians that the encoder attends to.
  struct Input {
    torch::Tensor features;  // [B, n, 19] features and news
    torch::Tensor means;     // [B, n, 3] m
    torch::Tensor bias;      // [B, n] (or [1, 1]) added to their logits
  };
  Input Choose(const SceneBatch& scene, const SceneNews& news, const Anchors& anchors) const;
  // [B, n, 27]: where they lie within the token of their nearest centre.
  torch::Tensor Within(const Input& input, const Anchors& anchors) const;

  TokenizerConfig config_;
  Mlp point_embed_{nullptr};
  RowLinear anchor_embed_{nullptr};
  RowLinear query_{nullptr}, key_value_{nullptr}, attend_out_{nullptr}, where_{nullptr};
  RmsNormLayer query_norm_{nullptr}, point_norm_{nullptr}, encoder_norm_{nullptr};
  torch::Tensor
      log_reach_;  // [heads] ln of the distance (in token radii) over which attention falls off
  torch::Tensor news_;     // [heads] logit of a Gaussian that is all new since the reset frame
  torch::Tensor nothing_;  // [heads] logit of attending to nothing
  Mlp look_{nullptr}, news_moments_{nullptr}, encoder_mlp_{nullptr};
  RowLinear to_posterior_{nullptr}, from_latents_{nullptr};
  SetDecoder decoder_{nullptr};
};

}  // namespace gwm

#endif  // GWM_ENGINE_MODEL_SET_TOKENIZER_H_
