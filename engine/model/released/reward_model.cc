#include "engine/model/released/reward_model.h"

#include <algorithm>
#include <tuple>

namespace gwm::released {
namespace {

namespace nn = torch::nn;

nn::Conv2d Conv3x3(int64_t inputs, int64_t outputs, int64_t stride = 1) {
  return nn::Conv2d(nn::Conv2dOptions(inputs, outputs, 3).stride(stride).padding(1));
}

nn::Conv2d Conv1x1(int64_t inputs, int64_t outputs) {
  return nn::Conv2d(nn::Conv2dOptions(inputs, outputs, 1));
}

int64_t GroupCount(int64_t channels, const RewardModelOptions& options) {
  return std::max<int64_t>(1, channels / options.group_size);
}

}  // namespace

AdaGroupNormImpl::AdaGroupNormImpl(int64_t channels, const RewardModelOptions& options)
    : groups(GroupCount(channels, options)), eps(options.norm_eps) {
  linear = register_module("linear", nn::Linear(options.cond_channels, 2 * channels));
}

torch::Tensor AdaGroupNormImpl::forward(const torch::Tensor& x, const torch::Tensor& condition) {
  const std::vector<torch::Tensor> modulation =
      linear->forward(condition).unsqueeze(-1).unsqueeze(-1).chunk(2, 1);
  return torch::group_norm(x, groups, {}, {}, eps) * (1 + modulation[0]) + modulation[1];
}

PlainGroupNormImpl::PlainGroupNormImpl(int64_t channels, const RewardModelOptions& options) {
  norm = register_module(
      "norm",
      nn::GroupNorm(
          nn::GroupNormOptions(GroupCount(channels, options), channels).eps(options.norm_eps)));
}

torch::Tensor PlainGroupNormImpl::forward(const torch::Tensor& x) { return norm->forward(x); }

PixelAttentionImpl::PixelAttentionImpl(int64_t channels, const RewardModelOptions& options)
    : heads(std::max<int64_t>(1, channels / options.attention_head_dim)) {
  norm = register_module("norm", PlainGroupNorm(channels, options));
  qkv_proj = register_module("qkv_proj", Conv1x1(channels, 3 * channels));
  out_proj = register_module("out_proj", Conv1x1(channels, channels));
}

torch::Tensor PixelAttentionImpl::forward(const torch::Tensor& x) {
  const int64_t batch = x.size(0), channels = x.size(1);
  const torch::Tensor normed = norm->forward(x);
  // [B, 3 * heads, pixels, head_dim]: q of all heads, then k, then v.
  const torch::Tensor split =
      qkv_proj->forward(normed).view({batch, 3 * heads, channels / heads, -1}).transpose(2, 3);
  const std::vector<torch::Tensor> qkv = split.chunk(3, 1);
  const torch::Tensor mixed = torch::scaled_dot_product_attention(qkv[0], qkv[1], qkv[2]);
  return normed + out_proj->forward(mixed.transpose(2, 3).reshape(x.sizes()));
}

ResidualBlockImpl::ResidualBlockImpl(int64_t inputs, int64_t outputs, bool attention,
                                     const RewardModelOptions& options) {
  if (inputs != outputs) proj = register_module("proj", Conv1x1(inputs, outputs));
  norm1 = register_module("norm1", AdaGroupNorm(inputs, options));
  conv1 = register_module("conv1", Conv3x3(inputs, outputs));
  norm2 = register_module("norm2", AdaGroupNorm(outputs, options));
  conv2 = register_module("conv2", Conv3x3(outputs, outputs));
  if (attention) attn = register_module("attn", PixelAttention(outputs, options));
}

torch::Tensor ResidualBlockImpl::forward(const torch::Tensor& x, const torch::Tensor& condition) {
  const torch::Tensor shortcut = proj.is_empty() ? x : proj->forward(x);
  torch::Tensor y = conv1->forward(torch::silu(norm1->forward(x, condition)));
  y = conv2->forward(torch::silu(norm2->forward(y, condition))) + shortcut;
  return attn.is_empty() ? y : attn->forward(y);
}

ResidualStageImpl::ResidualStageImpl(int64_t inputs, int64_t outputs, int64_t depth, bool attention,
                                     const RewardModelOptions& options) {
  for (int64_t i = 0; i < depth; ++i) {
    resblocks->push_back(ResidualBlock(i == 0 ? inputs : outputs, outputs, attention, options));
  }
  register_module("resblocks", resblocks);
}

torch::Tensor ResidualStageImpl::forward(const torch::Tensor& x, const torch::Tensor& condition) {
  torch::Tensor y = x;
  for (const auto& block : *resblocks) y = block->as<ResidualBlock>()->forward(y, condition);
  return y;
}

DownsampleImpl::DownsampleImpl(int64_t channels) {
  conv = register_module("conv", Conv3x3(channels, channels, /*stride=*/2));
}

torch::Tensor DownsampleImpl::forward(const torch::Tensor& x) { return conv->forward(x); }

RewardEncoderImpl::RewardEncoderImpl(const RewardModelOptions& options) {
  const std::vector<int64_t>& channels = options.channels;
  TORCH_CHECK_VALUE(!channels.empty() && channels.size() == options.depths.size() &&
                        channels.size() == options.attention.size(),
                    "reward encoder: ", channels.size(), " channel counts, ", options.depths.size(),
                    " depths, ", options.attention.size(), " attention flags");
  conv_in = register_module("conv_in", Conv3x3(2 * options.img_channels, channels[0]));
  for (size_t i = 0; i < channels.size(); ++i) {
    const int64_t inputs = channels[i == 0 ? 0 : i - 1];
    blocks->push_back(ResidualStage(inputs, channels[i], options.depths[i],
                                    static_cast<bool>(options.attention[i]), options));
    if (i == 0) {
      downsamples->push_back(nn::Identity());
    } else {
      downsamples->push_back(Downsample(inputs));
    }
  }
  blocks->push_back(ResidualStage(channels.back(), channels.back(), 2, true, options));
  register_module("blocks", blocks);
  register_module("downsamples", downsamples);
}

torch::Tensor RewardEncoderImpl::forward(const torch::Tensor& x, const torch::Tensor& condition) {
  torch::Tensor y = conv_in->forward(x);
  for (size_t i = 0; i < blocks->size(); ++i) {
    if (i > 0 && i < downsamples->size()) y = downsamples->ptr(i)->as<Downsample>()->forward(y);
    y = blocks->ptr(i)->as<ResidualStage>()->forward(y, condition);
  }
  return y;
}

RewardModelImpl::RewardModelImpl(const RewardModelOptions& options) {
  encoder = register_module("encoder", RewardEncoder(options));
  act_emb = register_module("act_emb", ActionEmbedder(options.action_dim, options.cond_channels));
  int64_t side = options.img_size;
  for (size_t i = 1; i < options.channels.size(); ++i) side = (side + 1) / 2;
  const int64_t features = options.channels.back() * side * side;
  lstm = register_module("lstm",
                         nn::LSTM(nn::LSTMOptions(features, options.lstm_dim).batch_first(true)));
  head = register_module(
      "head", nn::Sequential(nn::Linear(options.lstm_dim, options.lstm_dim), nn::SiLU(),
                             nn::Linear(nn::LinearOptions(options.lstm_dim, 1).bias(false))));
}

RewardOutput RewardModelImpl::forward(const torch::Tensor& frames, const torch::Tensor& next_frames,
                                      const torch::Tensor& actions, const torch::Tensor& hidden,
                                      const torch::Tensor& cell) {
  const int64_t batch = frames.size(0), time = frames.size(1);
  const torch::Tensor pairs = torch::cat({frames, next_frames}, 2).flatten(0, 1);
  RewardOutput out;
  out.encoded = encoder->forward(pairs, act_emb->forward(actions.flatten(0, 1)));
  const torch::Tensor features = out.encoded.reshape({batch, time, -1});
  torch::optional<std::tuple<torch::Tensor, torch::Tensor>> state;
  if (hidden.defined()) state = std::make_tuple(hidden, cell);
  auto [sequence, last] = lstm->forward(features, state);
  std::tie(out.hidden, out.cell) = last;
  out.reward = head->forward(sequence);
  return out;
}

}  // namespace gwm::released
