// Layers of the agents' networks. They start at zero and are drawn by a CounterRandom: Torch's own
// layers would consume the process's global generator when they are built.
#ifndef GWM_CLIENTS_RL_LAYERS_H_
#define GWM_CLIENTS_RL_LAYERS_H_

#include <torch/torch.h>

#include <vector>

#include "clients/rl/counter_random.h"

namespace gwm::rl {

class LinearImpl : public torch::nn::Module {
 public:
  LinearImpl(int64_t in, int64_t out);
  // [..., in] -> [..., out]
  torch::Tensor forward(const torch::Tensor& x);

  torch::Tensor weight;  // [out, in]
  torch::Tensor bias;    // [out]
};
TORCH_MODULE(Linear);

// 3x3 convolution without padding.
class Conv3x3Impl : public torch::nn::Module {
 public:
  Conv3x3Impl(int64_t in, int64_t out, int64_t stride);
  // [B, in, H, W] -> [B, out, (H - 3) / stride + 1, (W - 3) / stride + 1]
  torch::Tensor forward(const torch::Tensor& x);

  torch::Tensor weight;  // [out, in, 3, 3]
  torch::Tensor bias;    // [out]

 private:
  int64_t stride_;
};
TORCH_MODULE(Conv3x3);

// Linear layers of widths[0] -> widths[1] -> ... with a ReLU between each two: children 0, 2, 4...
torch::nn::Sequential MakeMlp(const std::vector<int64_t>& widths);

// Orthogonal matrices (convolutions: gain sqrt(2), as [out, in * 9]), zero biases; vectors other
// than biases stay. `network` numbers the networks of one agent: each has draws of its own.
void InitOrthogonal(torch::nn::Module& module, const CounterRandom& random, uint64_t network);
// Matrices and biases from U(-b, b), b = 1 / sqrt(in): the default of public SAC code.
void InitUniform(torch::nn::Module& module, const CounterRandom& random, uint64_t network);

// target <- target + rate (online - target) for every parameter; rate 1 copies. Both modules have
// the same architecture.
void MoveTowards(torch::nn::Module& target, const torch::nn::Module& online, double rate);

// Number of entries of all parameters.
int64_t CountParameters(const torch::nn::Module& module);

}  // namespace gwm::rl

#endif  // GWM_CLIENTS_RL_LAYERS_H_
