#include "clients/rl/drqv2_networks.h"

#include "clients/rl/layers.h"

namespace gwm::rl {
namespace {

constexpr int64_t kChannels = 32;

torch::nn::Sequential MakeTrunk(int64_t features, int64_t width) {
  return torch::nn::Sequential(Linear(features, width),
                               torch::nn::LayerNorm(torch::nn::LayerNormOptions({width})),
                               torch::nn::Tanh());
}

}  // namespace

PixelEncoderImpl::PixelEncoderImpl(int64_t channels) {
  convnet_ = register_module(
      "convnet", torch::nn::Sequential(Conv3x3(channels, kChannels, 2), torch::nn::ReLU(),
                                       Conv3x3(kChannels, kChannels, 1), torch::nn::ReLU(),
                                       Conv3x3(kChannels, kChannels, 1), torch::nn::ReLU(),
                                       Conv3x3(kChannels, kChannels, 1), torch::nn::ReLU()));
}

torch::Tensor PixelEncoderImpl::forward(const torch::Tensor& pixels) {
  return convnet_->forward(pixels.to(torch::kFloat32) / 255.0 - 0.5).flatten(1);
}

int64_t PixelEncoderImpl::FeatureCount(int64_t height, int64_t width) {
  const auto remaining = [](int64_t size) { return (size - 3) / 2 + 1 - 3 * 2; };
  if (remaining(height) < 1 || remaining(width) < 1) return 0;
  return kChannels * remaining(height) * remaining(width);
}

DrQv2ActorImpl::DrQv2ActorImpl(int64_t features, int64_t action_dim, int64_t trunk_width,
                               int64_t hidden_width) {
  trunk_ = register_module("trunk", MakeTrunk(features, trunk_width));
  policy_ =
      register_module("policy", MakeMlp({trunk_width, hidden_width, hidden_width, action_dim}));
}

torch::Tensor DrQv2ActorImpl::forward(const torch::Tensor& features) {
  return torch::tanh(policy_->forward(trunk_->forward(features)));
}

DrQv2CriticImpl::DrQv2CriticImpl(int64_t features, int64_t action_dim, int64_t trunk_width,
                                 int64_t hidden_width) {
  const std::vector<int64_t> widths = {trunk_width + action_dim, hidden_width, hidden_width, 1};
  trunk_ = register_module("trunk", MakeTrunk(features, trunk_width));
  first_value_ = register_module("Q1", MakeMlp(widths));
  second_value_ = register_module("Q2", MakeMlp(widths));
}

std::array<torch::Tensor, 2> DrQv2CriticImpl::forward(const torch::Tensor& features,
                                                      const torch::Tensor& action) {
  const torch::Tensor joined = torch::cat({trunk_->forward(features), action}, -1);
  return {first_value_->forward(joined), second_value_->forward(joined)};
}

}  // namespace gwm::rl
