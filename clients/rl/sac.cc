#include "clients/rl/sac.h"

#include <cmath>

#include "clients/rl/checks.h"
#include "clients/rl/layers.h"

namespace gwm::rl {
namespace {

constexpr char kFormat[] = "gwm-sac-1";

absl::Status CheckOptions(const SacOptions& o) {
  const auto refuse = [](const char* what) { return absl::InvalidArgumentError(what); };
  if (o.observation_dim < 1) return refuse("observation_dim must be positive");
  if (o.action_dim < 1) return refuse("action_dim must be positive");
  if (o.hidden_width < 1) return refuse("hidden_width must be positive");
  if (!(o.learning_rate > 0)) return refuse("learning_rate must be positive");
  if (!(o.target_rate > 0 && o.target_rate <= 1)) return refuse("target_rate must be in (0, 1]");
  if (!(o.initial_temperature > 0)) return refuse("initial_temperature must be positive");
  if (o.target_entropy && !std::isfinite(*o.target_entropy)) {
    return refuse("target_entropy must be finite");
  }
  if (o.random_steps < 0) return refuse("random_steps must not be negative");
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Sac>> Sac::Create(const SacOptions& options) {
  const absl::Status status = CheckOptions(options);
  if (!status.ok()) return status;
  return WithoutThrowing("Sac::Create", [&]() -> absl::StatusOr<std::unique_ptr<Sac>> {
    return std::unique_ptr<Sac>(new Sac(options));
  });
}

Sac::Sac(const SacOptions& options)
    : options_(options),
      target_entropy_(options.target_entropy.value_or(-static_cast<double>(options.action_dim))),
      random_(options.seed),
      actor_(options.observation_dim, options.action_dim, options.hidden_width),
      critic_(options.observation_dim, options.action_dim, options.hidden_width),
      target_critic_(options.observation_dim, options.action_dim, options.hidden_width) {
  InitUniform(*actor_, random_, 0);
  InitUniform(*critic_, random_, 1);
  MoveTowards(*target_critic_, *critic_, 1);
  actor_->to(options.device);
  critic_->to(options.device);
  target_critic_->to(options.device);
  log_temperature_ =
      torch::full({1}, std::log(options.initial_temperature), torch::kFloat32).to(options.device);
  log_temperature_.requires_grad_();
  actor_adam_ = MakeAdam(actor_->parameters(), options.learning_rate);
  critic_adam_ = MakeAdam(critic_->parameters(), options.learning_rate);
  temperature_adam_ = MakeAdam({log_temperature_}, options.learning_rate);
  state_.AddModule("actor", *actor_);
  state_.AddModule("critic", *critic_);
  state_.AddModule("target_critic", *target_critic_);
  state_.AddTensor("log_temperature", log_temperature_);
  state_.AddAdam("actor_adam", *actor_adam_);
  state_.AddAdam("critic_adam", *critic_adam_);
  state_.AddAdam("temperature_adam", *temperature_adam_);
  state_.AddCounter("acts", &acts_);
  state_.AddCounter("updates", &updates_);
}

torch::Tensor Sac::Noise(RandomStream stream, uint64_t counter, int64_t rows) const {
  return random_.Normal(stream, counter, {rows, options_.action_dim}).to(options_.device);
}

absl::StatusOr<torch::Tensor> Sac::Act(const torch::Tensor& observation, ActMode mode,
                                       int64_t step) {
  const absl::Status status =
      CheckTensor(observation, {-1, options_.observation_dim}, torch::kFloat32, "observation");
  if (!status.ok()) return status;
  return WithoutThrowing("Sac::Act", [&]() -> absl::StatusOr<torch::Tensor> {
    torch::NoGradGuard no_grad;
    const int64_t rows = observation.size(0);
    const bool explore = mode == ActMode::kExplore;
    const uint64_t draw = explore ? acts_++ : 0;
    if (explore && step < options_.random_steps) {
      return 2 * random_.Uniform(RandomStream::kExploration, draw, {rows, options_.action_dim}) - 1;
    }
    const torch::Tensor noise = explore
                                    ? Noise(RandomStream::kExploration, draw, rows)
                                    : torch::zeros({rows, options_.action_dim}, options_.device);
    return actor_->forward(observation.to(options_.device), noise).action.cpu();
  });
}

torch::Tensor Sac::TargetValue(const Batch& batch) {
  torch::NoGradGuard no_grad;
  const torch::Tensor noise = Noise(RandomStream::kTargetNoise, updates_, batch.size());
  const SquashedAction next = actor_->forward(batch.next_observation, noise);
  const auto values = target_critic_->forward(batch.next_observation, next.action);
  const torch::Tensor soft_value =
      torch::minimum(values[0], values[1]) - log_temperature_.exp() * next.log_prob;
  return batch.reward.unsqueeze(1) + batch.discount.unsqueeze(1) * soft_value;
}

void Sac::UpdateCritic(const Batch& batch, Metrics& metrics) {
  const torch::Tensor target = TargetValue(batch);
  const auto values = critic_->forward(batch.observation, batch.action);
  const torch::Tensor loss =
      torch::mse_loss(values[0], target) + torch::mse_loss(values[1], target);
  critic_adam_->zero_grad();
  loss.backward();
  critic_adam_->step();
  metrics["critic_loss"] = loss.item<double>();
  metrics["critic_value"] = values[0].mean().item<double>();
  metrics["target_value"] = target.mean().item<double>();
}

void Sac::UpdateActor(const Batch& batch, Metrics& metrics) {
  const torch::Tensor noise = Noise(RandomStream::kActorNoise, updates_, batch.size());
  const SquashedAction now = actor_->forward(batch.observation, noise);
  const auto values = critic_->forward(batch.observation, now.action);
  const torch::Tensor temperature = log_temperature_.detach().exp();
  const torch::Tensor loss =
      (temperature * now.log_prob - torch::minimum(values[0], values[1])).mean();
  actor_adam_->zero_grad();
  loss.backward();
  actor_adam_->step();
  const double mean_log_prob = now.log_prob.mean().item<double>();
  metrics["actor_loss"] = loss.item<double>();
  metrics["entropy"] = -mean_log_prob;
  UpdateTemperature(mean_log_prob, metrics);
}

void Sac::UpdateTemperature(double mean_log_prob, Metrics& metrics) {
  // The logarithm stands where the paper has the temperature itself (eq. 18), as public code does:
  // the same sign, and a step size that does not shrink with the temperature.
  const torch::Tensor loss = -log_temperature_.sum() * (mean_log_prob + target_entropy_);
  temperature_adam_->zero_grad();
  loss.backward();
  temperature_adam_->step();
  metrics["temperature"] = std::exp(log_temperature_.item<double>());
}

absl::StatusOr<Metrics> Sac::Update(const Batch& given, int64_t) {
  const absl::Status status =
      CheckBatch(given, {options_.observation_dim}, torch::kFloat32, options_.action_dim);
  if (!status.ok()) return status;
  return WithoutThrowing("Sac::Update", [&]() -> absl::StatusOr<Metrics> {
    const Batch batch = ToDevice(given, options_.device);
    Metrics metrics = {{"batch_reward", batch.reward.mean().item<double>()}};
    UpdateCritic(batch, metrics);
    UpdateActor(batch, metrics);
    MoveTowards(*target_critic_, *critic_, options_.target_rate);
    ++updates_;
    return metrics;
  });
}

absl::Status Sac::Save(const std::string& path) const { return state_.Save(path, kFormat); }

absl::Status Sac::Load(const std::string& path) { return state_.Load(path, kFormat); }

}  // namespace gwm::rl
