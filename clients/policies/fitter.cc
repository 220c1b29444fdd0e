#include "clients/policies/fitter.h"

#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "clients/base/checks.h"
#include "clients/policies/noise.h"

namespace gwm::policies {
namespace {

absl::Status CheckOptions(const FitOptions& o) {
  const auto refuse = [](const char* what) { return absl::InvalidArgumentError(what); };
  const LearningRateSchedule& rate = o.learning_rate;
  if (!(rate.peak > 0 && rate.peak < 1e3)) return refuse("learning_rate.peak must be positive");
  if (rate.warmup_steps < 0) return refuse("learning_rate.warmup_steps must not be negative");
  if (rate.shape != LearningRateShape::kConstant && rate.total_steps <= rate.warmup_steps) {
    return refuse("learning_rate.total_steps must exceed learning_rate.warmup_steps");
  }
  if (!(o.beta1 >= 0 && o.beta1 < 1)) return refuse("beta1 must be in [0, 1)");
  if (!(o.beta2 >= 0 && o.beta2 < 1)) return refuse("beta2 must be in [0, 1)");
  if (!(o.weight_decay >= 0)) return refuse("weight_decay must not be negative");
  if (!(o.most_gradient_norm >= 0)) return refuse("most_gradient_norm must not be negative");
  if (!(o.average.power > 0)) return refuse("average.power must be positive");
  if (!(o.average.most >= 0 && o.average.most < 1)) return refuse("average.most must be in [0, 1)");
  return absl::OkStatus();
}

bool Decays(const std::string& name, const torch::Tensor& parameter) {
  return parameter.dim() >= 2 && name.ends_with("weight");
}

std::unique_ptr<torch::optim::AdamW> MakeAdamW(torch::nn::Module& network, const FitOptions& o) {
  std::vector<torch::Tensor> decaying, others;
  for (const auto& item : network.named_parameters()) {
    (Decays(item.key(), item.value()) ? decaying : others).push_back(item.value());
  }
  const auto options = [&](double weight_decay) {
    return std::make_unique<torch::optim::AdamWOptions>(
        torch::optim::AdamWOptions(o.learning_rate.peak)
            .betas({o.beta1, o.beta2})
            .weight_decay(weight_decay));
  };
  auto adam = std::make_unique<torch::optim::AdamW>(std::vector<torch::optim::OptimizerParamGroup>{
      {std::move(decaying), options(o.weight_decay)}, {std::move(others), options(0)}});
  // Moments exist from the start: the state of a new and of a used optimizer has the same shape.
  for (const torch::Tensor& parameter : network.parameters()) {
    auto state = std::make_unique<torch::optim::AdamWParamState>();
    state->step(0);
    state->exp_avg(torch::zeros_like(parameter.detach()));
    state->exp_avg_sq(torch::zeros_like(parameter.detach()));
    adam->state()[parameter.unsafeGetTensorImpl()] = std::move(state);
  }
  return adam;
}

}  // namespace

FitOptions BcTransformerFitOptions() {
  FitOptions options;
  options.learning_rate.shape = LearningRateShape::kConstant;
  options.beta1 = 0.9;
  options.weight_decay = 0.01;
  options.most_gradient_norm = 100;
  return options;
}

Fitter::Fitter(TrainedPolicy& policy, const FitOptions& options,
               std::unique_ptr<TrainedPolicy> average)
    : policy_(policy),
      options_(options),
      average_(std::move(average)),
      adam_(MakeAdamW(policy.network(), options)) {}

absl::StatusOr<std::unique_ptr<Fitter>> Fitter::Create(TrainedPolicy& policy,
                                                       const FitOptions& options) {
  absl::Status status = CheckOptions(options);
  if (!status.ok()) return status;
  auto average = policy.Clone();
  if (!average.ok()) return average.status();
  return std::unique_ptr<Fitter>(new Fitter(policy, options, *std::move(average)));
}

void Fitter::SetLearningRate(double rate) {
  for (torch::optim::OptimizerParamGroup& group : adam_->param_groups()) {
    static_cast<torch::optim::AdamWOptions&>(group.options()).lr(rate);
  }
}

absl::StatusOr<FitMetrics> Fitter::Step(const ChunkBatch& batch) {
  return clients::WithoutThrowing("Step", [&]() -> absl::StatusOr<FitMetrics> {
    const int64_t rows =
        batch.observation.defined() && batch.observation.dim() > 0 ? batch.observation.size(0) : 0;
    const ChunkNoise noise =
        DrawLossNoise(policy_.LossNoise(), policy_.spec(), rows, CounterRandom(options_.seed),
                      static_cast<uint64_t>(steps_));
    const auto loss = policy_.Loss(batch, noise);
    if (!loss.ok()) return loss.status();
    adam_->zero_grad();
    loss->backward();
    const double most = options_.most_gradient_norm > 0 ? options_.most_gradient_norm
                                                        : std::numeric_limits<double>::infinity();
    const double norm = torch::nn::utils::clip_grad_norm_(policy_.network().parameters(), most);
    FitMetrics metrics{.loss = loss->item<double>(),
                       .gradient_norm = norm,
                       .learning_rate = options_.learning_rate.At(steps_),
                       .average_decay = options_.average.At(steps_)};
    if (!std::isfinite(metrics.loss) || !std::isfinite(norm)) {
      return absl::FailedPreconditionError(absl::StrCat("at step ", steps_, " the loss is ",
                                                        metrics.loss,
                                                        " and the norm of its gradient ", norm));
    }
    SetLearningRate(metrics.learning_rate);
    adam_->step();
    AverageWeights(average_->network(), policy_.network(), metrics.average_decay);
    ++steps_;
    return metrics;
  });
}

}  // namespace gwm::policies
