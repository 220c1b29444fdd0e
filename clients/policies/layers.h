// Layers of the policies' networks, with the parameter names of Torch's own. They start at zero and
// are drawn by DrawWeights: Torch's layers would consume the process's global generator.
#ifndef GWM_CLIENTS_POLICIES_LAYERS_H_
#define GWM_CLIENTS_POLICIES_LAYERS_H_

#include <torch/torch.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "clients/policies/random_stream.h"

namespace gwm::policies {

enum class InitialWeights {
  kUniform,      // weights and biases from U(-b, b), b = 1 / sqrt(inputs): Torch's default
  kSmallNormal,  // weights from N(0, 0.02^2), biases zero: transformers (minGPT)
};

// A module that owns parameters with random initial values.
class DrawnModule {
 public:
  virtual ~DrawnModule() = default;
  // A pure function of `random` and `number`, which no other module of a network shares: the draws
  // 2 number and 2 number + 1 of RandomStream::kWeights are its own.
  virtual void Draw(const CounterRandom& random, uint64_t number) = 0;
};

// Draws every DrawnModule below `root`, `root` included.
void DrawWeights(torch::nn::Module& root, const CounterRandom& random);

// parameter <- N(0, 0.02^2): draw `counter`.
void FillSmallNormal(torch::Tensor& parameter, const CounterRandom& random, uint64_t counter);

class LinearImpl : public torch::nn::Module, public DrawnModule {
 public:
  LinearImpl(int64_t in, int64_t out, InitialWeights initial = InitialWeights::kUniform,
             bool with_bias = true);
  // [..., in] -> [..., out]
  torch::Tensor forward(const torch::Tensor& x);
  void Draw(const CounterRandom& random, uint64_t number) override;

  torch::Tensor weight;  // [out, in]
  torch::Tensor bias;    // [out], or undefined

 private:
  InitialWeights initial_;
};
TORCH_MODULE(Linear);

// Over the last axis of [B, in, T].
class Conv1dImpl : public torch::nn::Module, public DrawnModule {
 public:
  Conv1dImpl(int64_t in, int64_t out, int64_t kernel, int64_t stride, int64_t padding);
  // [B, in, T] -> [B, out, (T + 2 padding - kernel) / stride + 1]
  torch::Tensor forward(const torch::Tensor& x);
  void Draw(const CounterRandom& random, uint64_t number) override;

  torch::Tensor weight;  // [out, in, kernel]
  torch::Tensor bias;    // [out]

 private:
  int64_t stride_, padding_;
};
TORCH_MODULE(Conv1d);

// Kernel 4, stride 2, padding 1: doubles the length.
class DoublingConv1dImpl : public torch::nn::Module, public DrawnModule {
 public:
  explicit DoublingConv1dImpl(int64_t channels);
  // [B, C, T] -> [B, C, 2 T]
  torch::Tensor forward(const torch::Tensor& x);
  void Draw(const CounterRandom& random, uint64_t number) override;

  torch::Tensor weight;  // [C, C, 4]
  torch::Tensor bias;    // [C]
};
TORCH_MODULE(DoublingConv1d);

class GroupNormImpl : public torch::nn::Module {
 public:
  // Requires that `groups` divides `channels`.
  GroupNormImpl(int64_t groups, int64_t channels);
  // [B, C, T] -> the same shape
  torch::Tensor forward(const torch::Tensor& x);

  torch::Tensor weight, bias;  // [C]

 private:
  int64_t groups_;
};
TORCH_MODULE(GroupNorm);

class LayerNormImpl : public torch::nn::Module {
 public:
  explicit LayerNormImpl(int64_t width);
  // [..., width] -> the same shape
  torch::Tensor forward(const torch::Tensor& x);

  torch::Tensor weight, bias;  // [width]
};
TORCH_MODULE(LayerNorm);

// Registers a nameless module `name` that only holds the children, under their names: the layout of
// Torch's Sequential and ModuleList, so that parameters get the public names.
using NamedChildren = std::vector<std::pair<std::string, std::shared_ptr<torch::nn::Module>>>;
void RegisterGroup(torch::nn::Module& owner, const std::string& name,
                   const NamedChildren& children);

}  // namespace gwm::policies

#endif  // GWM_CLIENTS_POLICIES_LAYERS_H_
