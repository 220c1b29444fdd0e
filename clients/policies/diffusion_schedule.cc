#include "clients/policies/diffusion_schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace gwm::policies {
namespace {

constexpr double kMostBeta = 0.999;
constexpr double kLeastVariance = 1e-20;

double CosineAlphaBar(double t) {
  const double root = std::cos((t + 0.008) / 1.008 * std::numbers::pi / 2);
  return root * root;
}

}  // namespace

DiffusionSchedule::DiffusionSchedule(int64_t training_steps) {
  const double steps = static_cast<double>(training_steps);
  double product = 1;
  for (int64_t i = 0; i < training_steps; ++i) {
    const double t = static_cast<double>(i);
    const double beta =
        std::min(1 - CosineAlphaBar((t + 1) / steps) / CosineAlphaBar(t / steps), kMostBeta);
    product *= 1 - beta;
    betas_.push_back(beta);
    alpha_bars_.push_back(product);
    signal_.push_back(std::sqrt(product));
    noise_.push_back(std::sqrt(1 - product));
  }
}

std::vector<int64_t> DiffusionSchedule::SamplingSteps(int64_t count) const {
  std::vector<int64_t> steps;
  for (int64_t i = count - 1; i >= 0; --i) steps.push_back(i * (training_steps() / count));
  return steps;
}

torch::Tensor DiffusionSchedule::Gather(const std::vector<double>& values,
                                        const torch::Tensor& step,
                                        const torch::Tensor& like) const {
  std::vector<int64_t> shape(like.dim(), 1);
  shape[0] = step.size(0);
  return torch::tensor(values, torch::kFloat64)
      .index_select(0, step.to(torch::kCPU))
      .to(like.options())
      .reshape(shape);
}

torch::Tensor DiffusionSchedule::AddNoise(const torch::Tensor& data, const torch::Tensor& noise,
                                          const torch::Tensor& step) const {
  return Gather(signal_, step, data) * data + Gather(noise_, step, data) * noise;
}

torch::Tensor DiffusionSchedule::Target(Prediction prediction, const torch::Tensor& data,
                                        const torch::Tensor& noise,
                                        const torch::Tensor& step) const {
  if (prediction == Prediction::kEpsilon) return noise;
  return Gather(signal_, step, data) * noise - Gather(noise_, step, data) * data;
}

DiffusionSchedule::Decoded DiffusionSchedule::Decode(const torch::Tensor& sample,
                                                     const torch::Tensor& output,
                                                     const ReverseStep& at) const {
  const double signal = signal_[at.step], noise = noise_[at.step];
  Decoded decoded;
  if (at.prediction == Prediction::kEpsilon) {
    decoded = {(sample - noise * output) / signal, output};
  } else {
    decoded = {signal * sample - noise * output, signal * output + noise * sample};
  }
  if (at.clip_sample) decoded.data = decoded.data.clamp(-1, 1);
  return decoded;
}

double DiffusionSchedule::PreviousAlphaBar(const ReverseStep& at) const {
  const int64_t previous = at.step - training_steps() / at.count;
  return previous < 0 ? 1.0 : alpha_bars_[previous];
}

torch::Tensor DiffusionSchedule::DdpmStep(const torch::Tensor& sample, const torch::Tensor& output,
                                          const torch::Tensor& noise, const ReverseStep& at) const {
  const double now = alpha_bars_[at.step], previous = PreviousAlphaBar(at);
  const double alpha = now / previous, beta = 1 - alpha;
  const torch::Tensor mean =
      std::sqrt(previous) * beta / (1 - now) * Decode(sample, output, at).data +
      std::sqrt(alpha) * (1 - previous) / (1 - now) * sample;
  if (at.step == 0) return mean;
  const double variance = std::max((1 - previous) / (1 - now) * beta, kLeastVariance);
  return mean + std::sqrt(variance) * noise;
}

torch::Tensor DiffusionSchedule::DdimStep(const torch::Tensor& sample, const torch::Tensor& output,
                                          const torch::Tensor& noise, double eta,
                                          const ReverseStep& at) const {
  const double now = alpha_bars_[at.step], previous = PreviousAlphaBar(at);
  const double std = eta * std::sqrt((1 - previous) / (1 - now) * (1 - now / previous));
  const Decoded decoded = Decode(sample, output, at);
  const torch::Tensor mean = std::sqrt(previous) * decoded.data +
                             std::sqrt(std::max(1 - previous - std * std, 0.0)) * decoded.noise;
  return std > 0 ? mean + std * noise : mean;
}

}  // namespace gwm::policies
