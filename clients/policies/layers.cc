#include "clients/policies/layers.h"

#include <cmath>

namespace gwm::policies {
namespace {

constexpr double kSmallStd = 0.02;

void FillUniform(torch::Tensor& parameter, double bound, const CounterRandom& random,
                 uint64_t counter) {
  const torch::Tensor unit = random.Uniform(RandomStream::kWeights, counter, parameter.sizes());
  parameter.copy_(bound * (2 * unit - 1));
}

void FillUniform(torch::Tensor& weight, torch::Tensor& bias, const CounterRandom& random,
                 uint64_t number) {
  // Torch counts the inputs of a transposed convolution in the same place.
  const double bound = 1 / std::sqrt(static_cast<double>(weight.numel() / weight.size(0)));
  FillUniform(weight, bound, random, 2 * number);
  if (bias.defined()) FillUniform(bias, bound, random, 2 * number + 1);
}

}  // namespace

void DrawWeights(torch::nn::Module& root, const CounterRandom& random) {
  torch::NoGradGuard no_grad;
  uint64_t number = 0;
  const auto draw = [&](torch::nn::Module* module) {
    if (auto* drawn = dynamic_cast<DrawnModule*>(module)) drawn->Draw(random, number);
    ++number;
  };
  draw(&root);
  for (const auto& module : root.modules(/*include_self=*/false)) draw(module.get());
}

void FillSmallNormal(torch::Tensor& parameter, const CounterRandom& random, uint64_t counter) {
  parameter.copy_(kSmallStd * random.Normal(RandomStream::kWeights, counter, parameter.sizes()));
}

LinearImpl::LinearImpl(int64_t in, int64_t out, InitialWeights initial, bool with_bias)
    : initial_(initial) {
  weight = register_parameter("weight", torch::zeros({out, in}));
  if (with_bias) bias = register_parameter("bias", torch::zeros({out}));
}

torch::Tensor LinearImpl::forward(const torch::Tensor& x) { return torch::linear(x, weight, bias); }

void LinearImpl::Draw(const CounterRandom& random, uint64_t number) {
  if (initial_ == InitialWeights::kUniform) {
    FillUniform(weight, bias, random, number);
  } else {
    FillSmallNormal(weight, random, 2 * number);
  }
}

Conv1dImpl::Conv1dImpl(int64_t in, int64_t out, int64_t kernel, int64_t stride, int64_t padding)
    : stride_(stride), padding_(padding) {
  weight = register_parameter("weight", torch::zeros({out, in, kernel}));
  bias = register_parameter("bias", torch::zeros({out}));
}

torch::Tensor Conv1dImpl::forward(const torch::Tensor& x) {
  return torch::conv1d(x, weight, bias, stride_, padding_);
}

void Conv1dImpl::Draw(const CounterRandom& random, uint64_t number) {
  FillUniform(weight, bias, random, number);
}

DoublingConv1dImpl::DoublingConv1dImpl(int64_t channels) {
  weight = register_parameter("weight", torch::zeros({channels, channels, 4}));
  bias = register_parameter("bias", torch::zeros({channels}));
}

torch::Tensor DoublingConv1dImpl::forward(const torch::Tensor& x) {
  return torch::conv_transpose1d(x, weight, bias, /*stride=*/2, /*padding=*/1);
}

void DoublingConv1dImpl::Draw(const CounterRandom& random, uint64_t number) {
  FillUniform(weight, bias, random, number);
}

GroupNormImpl::GroupNormImpl(int64_t groups, int64_t channels) : groups_(groups) {
  weight = register_parameter("weight", torch::ones({channels}));
  bias = register_parameter("bias", torch::zeros({channels}));
}

torch::Tensor GroupNormImpl::forward(const torch::Tensor& x) {
  return torch::group_norm(x, groups_, weight, bias, /*eps=*/1e-5);
}

LayerNormImpl::LayerNormImpl(int64_t width) {
  weight = register_parameter("weight", torch::ones({width}));
  bias = register_parameter("bias", torch::zeros({width}));
}

torch::Tensor LayerNormImpl::forward(const torch::Tensor& x) {
  return torch::layer_norm(x, {x.size(-1)}, weight, bias, /*eps=*/1e-5);
}

void RegisterGroup(torch::nn::Module& owner, const std::string& name,
                   const NamedChildren& children) {
  const auto group = std::make_shared<torch::nn::Module>(name);
  for (const auto& [child_name, child] : children) group->register_module(child_name, child);
  owner.register_module(name, group);
}

}  // namespace gwm::policies
