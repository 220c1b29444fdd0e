#include "clients/rl/layers.h"

#include <cmath>
#include <string>

namespace gwm::rl {
namespace {

// Draws of one network's parameters: their numbers follow the network's.
uint64_t DrawNumber(uint64_t network, uint64_t parameter) { return network << 32 | parameter; }

// Rows (or columns, whichever are fewer) of length one, at right angles to each other.
torch::Tensor Orthogonal(const torch::Tensor& normal) {
  const bool wide = normal.size(0) < normal.size(1);
  const auto [q, r] = torch::linalg_qr(wide ? normal.t() : normal);
  // The signs of R's diagonal make the distribution uniform.
  const torch::Tensor signed_q = q * r.diagonal().sign();
  return wide ? signed_q.t() : signed_q;
}

}  // namespace

LinearImpl::LinearImpl(int64_t in, int64_t out) {
  weight = register_parameter("weight", torch::zeros({out, in}));
  bias = register_parameter("bias", torch::zeros({out}));
}

torch::Tensor LinearImpl::forward(const torch::Tensor& x) { return torch::linear(x, weight, bias); }

Conv3x3Impl::Conv3x3Impl(int64_t in, int64_t out, int64_t stride) : stride_(stride) {
  weight = register_parameter("weight", torch::zeros({out, in, 3, 3}));
  bias = register_parameter("bias", torch::zeros({out}));
}

torch::Tensor Conv3x3Impl::forward(const torch::Tensor& x) {
  return torch::conv2d(x, weight, bias, stride_);
}

torch::nn::Sequential MakeMlp(const std::vector<int64_t>& widths) {
  torch::nn::Sequential layers;
  for (size_t i = 0; i + 1 < widths.size(); ++i) {
    if (i > 0) layers->push_back(torch::nn::ReLU());
    layers->push_back(Linear(widths[i], widths[i + 1]));
  }
  return layers;
}

void InitOrthogonal(torch::nn::Module& module, const CounterRandom& random, uint64_t network) {
  torch::NoGradGuard no_grad;
  uint64_t number = 0;
  for (auto& item : module.named_parameters()) {
    torch::Tensor parameter = item.value();
    const uint64_t draw = DrawNumber(network, number++);
    if (parameter.dim() >= 2) {
      const double gain = parameter.dim() == 4 ? std::sqrt(2.0) : 1.0;
      const int64_t rows = parameter.size(0);
      const torch::Tensor normal =
          random.Normal(RandomStream::kWeights, draw, {rows, parameter.numel() / rows});
      parameter.copy_((gain * Orthogonal(normal)).reshape(parameter.sizes()));
    } else if (item.key().ends_with("bias")) {
      parameter.zero_();
    }
  }
}

void InitUniform(torch::nn::Module& module, const CounterRandom& random, uint64_t network) {
  torch::NoGradGuard no_grad;
  uint64_t number = 0;
  int64_t inputs = 1;  // of the layer whose weight came last: its bias follows
  for (auto& item : module.named_parameters()) {
    torch::Tensor parameter = item.value();
    if (parameter.dim() >= 2) inputs = parameter.numel() / parameter.size(0);
    const torch::Tensor unit =
        random.Uniform(RandomStream::kWeights, DrawNumber(network, number++), parameter.sizes());
    parameter.copy_((2 * unit - 1) / std::sqrt(static_cast<double>(inputs)));
  }
}

void MoveTowards(torch::nn::Module& target, const torch::nn::Module& online, double rate) {
  torch::NoGradGuard no_grad;
  const std::vector<torch::Tensor> from = online.parameters();
  std::vector<torch::Tensor> to = target.parameters();
  for (size_t i = 0; i < to.size(); ++i) {
    if (rate == 1) {
      to[i].copy_(from[i]);
    } else {
      to[i].lerp_(from[i], rate);
    }
  }
}

int64_t CountParameters(const torch::nn::Module& module) {
  int64_t count = 0;
  for (const torch::Tensor& parameter : module.parameters()) count += parameter.numel();
  return count;
}

}  // namespace gwm::rl
