// The networks of DrQ-v2 (arXiv 2107.09645) in the sizes of thuml/iVideoGPT mbrl/drqv2.py.
// Parameters are named as published there, so that its weights can be loaded.
//
//   pixels [B, C, H, W] -> encoder -> features [B, F] -> actor  -> mean of the action [B, A]
//                                                    \-> critic -> two values [B, 1]
#ifndef GWM_CLIENTS_RL_DRQV2_NETWORKS_H_
#define GWM_CLIENTS_RL_DRQV2_NETWORKS_H_

#include <torch/torch.h>

#include <array>

namespace gwm::rl {

// Four 3x3 convolutions of 32 channels, strides 2, 1, 1, 1, without padding, ReLU after each.
class PixelEncoderImpl : public torch::nn::Module {
 public:
  explicit PixelEncoderImpl(int64_t channels);
  // [B, C, H, W] u8 or f32 in 0 .. 255 -> [B, F] f32, flattened (channel, row, column)
  torch::Tensor forward(const torch::Tensor& pixels);

  // F of images [C, height, width]; not positive when they are too small. 64 x 64: 20000.
  static int64_t FeatureCount(int64_t height, int64_t width);

 private:
  torch::nn::Sequential convnet_;
};
TORCH_MODULE(PixelEncoder);

// Trunk Linear -> LayerNorm -> tanh to `trunk_width`, then three linear layers of `hidden_width`.
class DrQv2ActorImpl : public torch::nn::Module {
 public:
  DrQv2ActorImpl(int64_t features, int64_t action_dim, int64_t trunk_width, int64_t hidden_width);
  // [B, F] -> [B, A], the mean in (-1, 1)
  torch::Tensor forward(const torch::Tensor& features);

 private:
  torch::nn::Sequential trunk_, policy_;
};
TORCH_MODULE(DrQv2Actor);

// Two values of an action on one trunk.
class DrQv2CriticImpl : public torch::nn::Module {
 public:
  DrQv2CriticImpl(int64_t features, int64_t action_dim, int64_t trunk_width, int64_t hidden_width);
  // features [B, F], action [B, A] -> two of [B, 1]
  std::array<torch::Tensor, 2> forward(const torch::Tensor& features, const torch::Tensor& action);

 private:
  torch::nn::Sequential trunk_, first_value_, second_value_;
};
TORCH_MODULE(DrQv2Critic);

}  // namespace gwm::rl

#endif  // GWM_CLIENTS_RL_DRQV2_NETWORKS_H_
