// The released reward model: a convolutional encoder of (frame, next frame) conditioned on the
// action, an LSTM over time and a linear head that gives the (symlog) reward. Module names equal
// those of the public state_dict.
#ifndef GWM_ENGINE_MODEL_RELEASED_REWARD_MODEL_H_
#define GWM_ENGINE_MODEL_RELEASED_REWARD_MODEL_H_

#include <torch/torch.h>

#include <vector>

#include "engine/model/released/dit.h"

namespace gwm::released {

// The defaults are the released model: 51,802,208 parameters.
struct RewardModelOptions {
  int64_t img_channels = 14;
  int64_t img_size = 128;
  int64_t action_dim = 10;
  int64_t cond_channels = 384;
  int64_t lstm_dim = 384;
  std::vector<int64_t> channels = {32, 32, 32};         // one entry per stage
  std::vector<int64_t> depths = {2, 2, 2};              // residual blocks per stage
  std::vector<bool> attention = {false, false, false};  // self-attention in the blocks of a stage
  int64_t group_size = 32;
  int64_t attention_head_dim = 8;
  double norm_eps = 1e-5;
};

// Group normalisation without affine, then x (1 + scale) + shift with (scale, shift) linear in the
// condition.
struct AdaGroupNormImpl : torch::nn::Module {
  AdaGroupNormImpl(int64_t channels, const RewardModelOptions& options);
  // x: [B, C, H, W], condition: [B, K].
  torch::Tensor forward(const torch::Tensor& x, const torch::Tensor& condition);

  int64_t groups;
  double eps;
  torch::nn::Linear linear{nullptr};
};
TORCH_MODULE(AdaGroupNorm);

// GroupNorm with affine, registered one level down ("norm.norm") as in the public state_dict.
struct PlainGroupNormImpl : torch::nn::Module {
  PlainGroupNormImpl(int64_t channels, const RewardModelOptions& options);
  torch::Tensor forward(const torch::Tensor& x);

  torch::nn::GroupNorm norm{nullptr};
};
TORCH_MODULE(PlainGroupNorm);

// Self-attention over pixels with a residual from its normalised input.
struct PixelAttentionImpl : torch::nn::Module {
  PixelAttentionImpl(int64_t channels, const RewardModelOptions& options);
  torch::Tensor forward(const torch::Tensor& x);

  int64_t heads;
  PlainGroupNorm norm{nullptr};
  torch::nn::Conv2d qkv_proj{nullptr}, out_proj{nullptr};
};
TORCH_MODULE(PixelAttention);

// Two 3x3 convolutions, each after AdaGroupNorm and SiLU; residual; optional attention.
struct ResidualBlockImpl : torch::nn::Module {
  ResidualBlockImpl(int64_t inputs, int64_t outputs, bool attention,
                    const RewardModelOptions& options);
  torch::Tensor forward(const torch::Tensor& x, const torch::Tensor& condition);

  torch::nn::Conv2d proj{nullptr}, conv1{nullptr}, conv2{nullptr};
  AdaGroupNorm norm1{nullptr}, norm2{nullptr};
  PixelAttention attn{nullptr};
};
TORCH_MODULE(ResidualBlock);

struct ResidualStageImpl : torch::nn::Module {
  ResidualStageImpl(int64_t inputs, int64_t outputs, int64_t depth, bool attention,
                    const RewardModelOptions& options);
  torch::Tensor forward(const torch::Tensor& x, const torch::Tensor& condition);

  torch::nn::ModuleList resblocks;
};
TORCH_MODULE(ResidualStage);

// Halves height and width.
struct DownsampleImpl : torch::nn::Module {
  explicit DownsampleImpl(int64_t channels);
  torch::Tensor forward(const torch::Tensor& x);

  torch::nn::Conv2d conv{nullptr};
};
TORCH_MODULE(Downsample);

struct RewardEncoderImpl : torch::nn::Module {
  explicit RewardEncoderImpl(const RewardModelOptions& options);
  // x: [B, 2 * C, H, W], condition: [B, K]. Returns [B, E, H / 2^(stages - 1), W / 2^(stages - 1)].
  torch::Tensor forward(const torch::Tensor& x, const torch::Tensor& condition);

  torch::nn::Conv2d conv_in{nullptr};
  torch::nn::ModuleList blocks;
  torch::nn::ModuleList downsamples;  // nothing before the first stage and before the last
};
TORCH_MODULE(RewardEncoder);

struct RewardOutput {
  torch::Tensor reward;   // [B, T, 1]
  torch::Tensor encoded;  // [B * T, E, h, w]
  torch::Tensor hidden;   // [1, B, L]
  torch::Tensor cell;     // [1, B, L]
};

struct RewardModelImpl : torch::nn::Module {
  // Throws c10::Error when the stages' lists differ in length.
  explicit RewardModelImpl(const RewardModelOptions& options);

  // frames, next_frames: [B, T, C, H, W]; actions: [B, T, A]; hidden, cell: [1, B, L], undefined at
  // the start.
  RewardOutput forward(const torch::Tensor& frames, const torch::Tensor& next_frames,
                       const torch::Tensor& actions, const torch::Tensor& hidden = {},
                       const torch::Tensor& cell = {});

  RewardEncoder encoder{nullptr};
  ActionEmbedder act_emb{nullptr};
  torch::nn::LSTM lstm{nullptr};
  torch::nn::Sequential head{nullptr};
};
TORCH_MODULE(RewardModel);

}  // namespace gwm::released

#endif  // GWM_ENGINE_MODEL_RELEASED_REWARD_MODEL_H_
