#include "engine/train/stage_optimizer.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "engine/base/status.h"
#include "engine/base/tensor_convert.h"

namespace gwm {
namespace {

double LearningRate(const StageOptions& o, int64_t step) {
  const double warm = std::min(1.0, static_cast<double>(step + 1) /
                                        static_cast<double>(std::max<int64_t>(1, o.warmup_steps)));
  const double done =
      static_cast<double>(step) / static_cast<double>(std::max<int64_t>(1, o.steps));
  const double cosine = 0.5 * (1.0 + std::cos(M_PI * std::min(1.0, done)));
  return o.learning_rate * warm * (o.final_rate + (1.0 - o.final_rate) * cosine);
}

double GlobalNorm(const std::vector<torch::Tensor>& gradients) {
  auto total = torch::zeros({}, torch::kDouble);
  for (const torch::Tensor& gradient : gradients) {
    if (gradient.defined()) total += gradient.square().sum().to(torch::kDouble).cpu();
  }
  return std::sqrt(total.item<double>());
}

}  // namespace

StageOptimizer::StageOptimizer(torch::nn::Module& module, const StageOptions& options)
    : options_(options) {
  for (auto& item : module.named_parameters()) {
    if (!item.value().requires_grad()) continue;
    names_.push_back(item.key());
    weights_.push_back(item.value());
    first_moment_.push_back(torch::zeros_like(item.value()));
    second_moment_.push_back(torch::zeros_like(item.value()));
    averages_.push_back(item.value().detach().clone());
  }
}

double StageOptimizer::Update(const std::vector<torch::Tensor>& gradients) {
  torch::NoGradGuard no_grad;
  constexpr double kBeta1 = 0.9, kBeta2 = 0.99, kEps = 1e-8;
  const double norm = GlobalNorm(gradients);
  const bool clip = options_.clip_norm > 0 && norm > options_.clip_norm;
  const auto t = static_cast<double>(step_ + 1);
  const double rate = LearningRate(options_, step_);
  const double ema = std::min(options_.ema_decay, (1.0 + t) / (10.0 + t));
  const double scale1 = 1.0 / (1.0 - std::pow(kBeta1, t));
  const double scale2 = 1.0 / (1.0 - std::pow(kBeta2, t));
  for (size_t i = 0; i < weights_.size(); ++i) {
    torch::Tensor& weight = weights_[i];
    if (gradients[i].defined()) {
      const auto gradient = clip ? gradients[i] * (options_.clip_norm / norm) : gradients[i];
      auto& m = first_moment_[i];
      auto& v = second_moment_[i];
      m.lerp_(gradient, 1.0 - kBeta1);
      v.mul_(kBeta2).addcmul_(gradient, gradient, 1.0 - kBeta2);
      if (weight.dim() > 1) weight.mul_(1.0 - rate * options_.weight_decay);
      weight.addcdiv_(m, (v * scale2).sqrt_().add_(kEps), -rate * scale1);
    }
    averages_[i].lerp_(weight, 1.0 - ema);
  }
  ++step_;
  return norm;
}

void StageOptimizer::KeepAverages() {
  torch::NoGradGuard no_grad;
  for (size_t i = 0; i < weights_.size(); ++i) weights_[i].copy_(averages_[i]);
}

void StageOptimizer::SwapAverages() {
  torch::NoGradGuard no_grad;
  for (size_t i = 0; i < weights_.size(); ++i) {
    const auto kept = weights_[i].detach().clone();
    weights_[i].copy_(averages_[i]);
    averages_[i].copy_(kept);
  }
}

template <typename Visit>
void StageOptimizer::ForEach(Visit visit) const {
  for (size_t i = 0; i < weights_.size(); ++i) {
    visit("weight." + names_[i], weights_[i]);
    visit("m." + names_[i], first_moment_[i]);
    visit("v." + names_[i], second_moment_[i]);
    visit("ema." + names_[i], averages_[i]);
  }
}

absl::Status StageOptimizer::SaveState(const std::string& path) const {
  io::TensorFile file;
  file.metadata["step"] = absl::StrCat(step_);
  ForEach([&](const std::string& name, const torch::Tensor& x) {
    file.tensors[name] = ToHost(x.detach());
  });
  return io::WriteTensorFile(path, file);
}

absl::StatusOr<StageOptimizer::SavedState> StageOptimizer::ReadState(
    const std::string& path) const {
  SavedState saved;
  GWM_ASSIGN_OR_RETURN(saved.file, io::ReadTensorFile(path));
  absl::Status status;
  ForEach([&](const std::string& name, const torch::Tensor& x) {
    const auto found = saved.file.tensors.find(name);
    if (found != saved.file.tensors.end() && found->second.shape == x.sizes().vec()) return;
    status.Update(absl::FailedPreconditionError(
        absl::StrCat("training state: ", name,
                     " is missing or has another shape; the config has changed since. ",
                     "Remove the state file to start over: ", path)));
  });
  GWM_RETURN_IF_ERROR(status);
  const auto step = saved.file.metadata.find("step");
  if (step == saved.file.metadata.end() || !absl::SimpleAtoi(step->second, &saved.step)) {
    return absl::FailedPreconditionError(absl::StrCat("training state: no step in ", path));
  }
  return saved;
}

void StageOptimizer::TakeState(const SavedState& saved) {
  torch::NoGradGuard no_grad;
  ForEach([&](const std::string& name, torch::Tensor x) {
    x.copy_(ToTorch(saved.file.tensors.at(name)));
  });
  step_ = saved.step;
}

absl::Status StageOptimizer::LoadState(const std::string& path) {
  GWM_ASSIGN_OR_RETURN(const SavedState saved, ReadState(path));
  TakeState(saved);
  return absl::OkStatus();
}

}  // namespace gwm
