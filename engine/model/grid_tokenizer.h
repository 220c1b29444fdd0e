// The grid tokenizer: one token per patch of pixels and view, compressed by a convolutional VAE.
//
//   pixels -> unshuffle 2 -> [conv, residual block, halve] x (log2(patch) - 1) -> residual blocks
//   -> mean, log-variance
//
// The decoder sees the reset frame's own features at every resolution, so that the latents need to
// say only what changed. Its output is a new pixel and a gate; where the gate is shut the reset
// frame's Gaussians stay as they are (methods: residual decode against the reset frame).
#ifndef GWM_ENGINE_MODEL_GRID_TOKENIZER_H_
#define GWM_ENGINE_MODEL_GRID_TOKENIZER_H_

#include <vector>

#include "engine/model/layers.h"
#include "engine/model/tokenizer.h"

namespace gwm {

// x + conv(silu(conv(silu(x)))), 3x3.
class ResidualBlockImpl : public torch::nn::Module {
 public:
  explicit ResidualBlockImpl(int64_t channels);
  torch::Tensor forward(const torch::Tensor& x);

  Conv first{nullptr}, last{nullptr};
};
TORCH_MODULE(ResidualBlock);

// Decoder output before it becomes Gaussians.
struct DecodedPixels {
  torch::Tensor pixels;     // [B, V, 4, H, W], gated
  torch::Tensor candidate;  // [B, V, 4, H, W], before the gate
  torch::Tensor gate;       // [B, V, 1, H, W] in (0, 1)
};

class GridTokenizer : public Tokenizer {
 public:
  explicit GridTokenizer(const ModelConfig& config);

  Anchors ChooseAnchors(const SceneBatch& scene) override;
  Posterior Encode(const SceneBatch& scene, const Anchors& anchors) override;
  Gaussians Decode(const torch::Tensor& latents, const Anchors& anchors) override;

  // The same in pixel space, where training works. pixels [B, V, 4, H, W].
  // skips: if not null, receives the features at each resolution above the tokens, finest first:
  // [B*V, C, h, w].
  Posterior EncodePixels(const torch::Tensor& pixels, std::vector<torch::Tensor>* skips = nullptr);
  // latents [B, M, L]; reset_pixels [B, V, 4, H, W]; reset_latents [B, M, L]; skips from
  // EncodePixels(reset_pixels).
  DecodedPixels DecodePixels(const torch::Tensor& latents, const torch::Tensor& reset_pixels,
                             const torch::Tensor& reset_latents,
                             const std::vector<torch::Tensor>& skips);

 private:
  torch::Tensor Trunk(const torch::Tensor& pixels, std::vector<torch::Tensor>* skips);
  torch::Tensor TokensToGrid(const torch::Tensor& tokens) const;  // [B, M, L] -> [B*V, L, h, w]

  ModelConfig config_;
  std::vector<int64_t> channels_;  // finest first
  Conv stem_{nullptr};
  std::vector<ResidualBlock> encoder_blocks_;
  std::vector<Conv> downs_;
  std::vector<ResidualBlock> middle_;
  Conv to_posterior_{nullptr};
  Conv from_latents_{nullptr};
  std::vector<ResidualBlock> decoder_middle_;
  std::vector<Conv> ups_, merges_;
  std::vector<ResidualBlock> decoder_blocks_;
  Conv to_pixels_{nullptr};
};

}  // namespace gwm

#endif  // GWM_ENGINE_MODEL_GRID_TOKENIZER_H_
