#include "clients/rl/ensemble_network.h"

#include <cmath>
#include <string>

namespace gwm::rl {
namespace {

// A standard normal outside (-2, 2) is drawn again, as the published initialisation does.
torch::Tensor TruncatedNormal(const CounterRandom& random, uint64_t layer, at::IntArrayRef shape) {
  constexpr double kCut = 2;
  constexpr uint64_t kMostTries = 64;  // 0.05^64: never reached
  torch::Tensor drawn = random.Normal(RandomStream::kWeights, layer << 32, shape);
  for (uint64_t attempt = 1; attempt < kMostTries; ++attempt) {
    const torch::Tensor outside = drawn.abs() >= kCut;
    if (!outside.any().item<bool>()) break;
    drawn = torch::where(
        outside, random.Normal(RandomStream::kWeights, layer << 32 | attempt, shape), drawn);
  }
  return drawn;
}

}  // namespace

EnsembleNetworkImpl::EnsembleNetworkImpl(int64_t networks, const std::vector<int64_t>& widths,
                                         const std::vector<double>& decays,
                                         const CounterRandom& random)
    : decays_(decays) {
  const int64_t outputs = widths.back();
  for (size_t i = 0; i + 1 < widths.size(); ++i) {
    // The last layer gives a mean and a log-variance for each output.
    const int64_t in = widths[i], out = i + 2 == widths.size() ? 2 * outputs : widths[i + 1];
    const double std = 1 / (2 * std::sqrt(static_cast<double>(in)));
    const std::string number = std::to_string(i);
    weights_.push_back(register_parameter("weight" + number,
                                          std * TruncatedNormal(random, i, {networks, in, out})));
    biases_.push_back(register_parameter("bias" + number, torch::zeros({networks, 1, out})));
  }
  highest_log_variance_ = register_parameter("highest_log_variance", torch::full({outputs}, 0.5));
  lowest_log_variance_ = register_parameter("lowest_log_variance", torch::full({outputs}, -10.0));
}

Gaussians EnsembleNetworkImpl::forward(const torch::Tensor& x) {
  torch::Tensor hidden = x;
  for (size_t i = 0; i < weights_.size(); ++i) {
    hidden = torch::baddbmm(biases_[i], hidden, weights_[i]);
    if (i + 1 < weights_.size()) hidden = torch::silu(hidden);
  }
  const std::vector<torch::Tensor> halves = hidden.chunk(2, -1);
  torch::Tensor log_variance =
      highest_log_variance_ - torch::softplus(highest_log_variance_ - halves[1]);
  log_variance = lowest_log_variance_ + torch::softplus(log_variance - lowest_log_variance_);
  return {halves[0], log_variance};
}

torch::Tensor EnsembleNetworkImpl::Loss(const torch::Tensor& inputs, const torch::Tensor& targets) {
  constexpr double kBoundPull = 0.01;
  const Gaussians predicted = forward(inputs);
  const torch::Tensor squares =
      (predicted.mean - targets).square() * torch::exp(-predicted.log_variance);
  torch::Tensor loss = (squares + predicted.log_variance).mean({1, 2}).sum();
  for (size_t i = 0; i < weights_.size(); ++i) {
    loss = loss + 0.5 * decays_[i] * weights_[i].square().sum();
  }
  return loss + kBoundPull * (highest_log_variance_.sum() - lowest_log_variance_.sum());
}

}  // namespace gwm::rl
