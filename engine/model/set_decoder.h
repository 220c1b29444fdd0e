// Decoder of the set tokenizer: tokens attend to each other, then every Gaussian of the reset frame
// queries the one of its cell (as 3DShape2VecSet decodes at query points; set_cells.h) and each
// token adds K fresh Gaussians.
#ifndef GWM_ENGINE_MODEL_SET_DECODER_H_
#define GWM_ENGINE_MODEL_SET_DECODER_H_

#include <vector>

#include "engine/model/layers.h"
#include "engine/model/tokenizer.h"

namespace gwm {

// Layout of Anchors::cache of the set tokenizer.
struct SetCache {
  enum Index {
    kOwner = 0,     // i64 [B, N] nearest centre of each reset Gaussian
    kRadius,        // [B, M, 1] m, extent of a token
    kBaseLogScale,  // [B, M, 3] of fresh Gaussians
    kPlace,         // [B, N, 73] see Places
    kRay,           // [B, N, 3] m, from the camera to each reset Gaussian
    kInverseDepth,  // [B, N, 1] 1/m
    kSamples,       // [B, n, 3] m, where the encoder looks in every frame; n may be 0
    kFittedSh,      // [B, N, 1, 3] of the reset Gaussians, with colours that render to the frame
    kSlot,          // Cells of the reset Gaussians: slot, within, count
    kWithin,
    kCount,
    kLook,  // [B, M, 256] moments of the colours and inverse depths of each cell
  };
};

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

class SetDecoderImpl : public torch::nn::Module {
 public:
  explicit SetDecoderImpl(const TokenizerConfig& config);
  // x: [B, M, D], news: [B, M, 1] in [0, 1], how much each token differs from the reset frame ->
  // [B, N + M*K]: the reset Gaussians, repainted and moved along their rays, then the fresh ones in
  // token order. Where its cell's token has no news, a reset Gaussian stays as it is, bit for bit.
  Gaussians forward(torch::Tensor x, const torch::Tensor& news, const Anchors& anchors);

 private:
  // [B, N, 4]: change of colour and of inverse depth (1/m) of every reset Gaussian.
  torch::Tensor Query(const torch::Tensor& x, const torch::Tensor& news, const Anchors& anchors);
  Gaussians Fresh(const torch::Tensor& x, const Anchors& anchors);

  TokenizerConfig config_;
  std::vector<TokenBlock> blocks_;
  RmsNormLayer norm_{nullptr};
  RowLinear cell_{nullptr}, spread_{nullptr}, place_{nullptr}, hidden_{nullptr}, repaint_{nullptr};
  RowLinear to_gaussians_{nullptr};
};
TORCH_MODULE(SetDecoder);

}  // namespace gwm

#endif  // GWM_ENGINE_MODEL_SET_DECODER_H_
