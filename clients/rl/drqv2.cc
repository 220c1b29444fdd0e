#include "clients/rl/drqv2.h"

#include "clients/rl/checks.h"
#include "clients/rl/layers.h"
#include "clients/rl/random_shift.h"
#include "clients/rl/truncated_normal.h"

namespace gwm::rl {
namespace {

constexpr char kFormat[] = "gwm-drqv2-1";

torch::ScalarType ObservationType(const DrQv2Options& options) {
  return options.observation == ObservationKind::kPixels ? torch::kUInt8 : torch::kFloat32;
}

// F, or InvalidArgument for a shape that has none.
absl::StatusOr<int64_t> CountFeatures(const DrQv2Options& options) {
  const std::vector<int64_t>& shape = options.observation_shape;
  int64_t features = 0;
  if (options.observation == ObservationKind::kVector && shape.size() == 1) {
    features = shape[0];
  } else if (options.observation == ObservationKind::kPixels && shape.size() == 3 && shape[0] > 0 &&
             shape[1] == shape[2]) {
    features = PixelEncoderImpl::FeatureCount(shape[1], shape[2]);
  }
  if (features > 0) return features;
  return absl::InvalidArgumentError(absl::StrCat(
      "observation_shape ", ShapeText(shape),
      " is neither [C, H, H] pixels of 15 rows or more nor a vector [D], whichever is asked for"));
}

absl::Status CheckOptions(const DrQv2Options& o) {
  const auto refuse = [](const char* what) { return absl::InvalidArgumentError(what); };
  if (o.action_dim < 1) return refuse("action_dim must be positive");
  if (o.trunk_width < 1 || o.hidden_width < 1) return refuse("widths must be positive");
  if (!(o.learning_rate > 0)) return refuse("learning_rate must be positive");
  if (!(o.weight_decay >= 0)) return refuse("weight_decay must not be negative");
  if (!(o.target_rate > 0 && o.target_rate <= 1)) return refuse("target_rate must be in (0, 1]");
  if (!(o.noise_clip >= 0)) return refuse("noise_clip must not be negative");
  if (o.random_steps < 0) return refuse("random_steps must not be negative");
  if (o.shift_pad_pixels < 0) return refuse("shift_pad_pixels must not be negative");
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ObservationKind> ParseObservationKind(std::string_view text) {
  if (text == "pixels") return ObservationKind::kPixels;
  if (text == "vector") return ObservationKind::kVector;
  return absl::InvalidArgumentError("an observation is pixels or vector, not '" +
                                    std::string(text) + "'");
}

absl::StatusOr<std::unique_ptr<DrQv2>> DrQv2::Create(const DrQv2Options& options) {
  const absl::Status status = CheckOptions(options);
  if (!status.ok()) return status;
  const absl::StatusOr<int64_t> features = CountFeatures(options);
  if (!features.ok()) return features.status();
  return WithoutThrowing("DrQv2::Create", [&]() -> absl::StatusOr<std::unique_ptr<DrQv2>> {
    return std::unique_ptr<DrQv2>(new DrQv2(options, *features));
  });
}

DrQv2::DrQv2(const DrQv2Options& options, int64_t features)
    : options_(options),
      random_(options.seed),
      actor_(features, options.action_dim, options.trunk_width, options.hidden_width),
      critic_(features, options.action_dim, options.trunk_width, options.hidden_width),
      target_critic_(features, options.action_dim, options.trunk_width, options.hidden_width) {
  const auto adam = [&](torch::nn::Module& module) {
    return MakeAdam(module.parameters(), options.learning_rate, options.weight_decay);
  };
  if (options.observation == ObservationKind::kPixels) {
    encoder_ = PixelEncoder(options.observation_shape[0]);
    InitOrthogonal(*encoder_, random_, 0);
    encoder_->to(options.device);
    encoder_adam_ = adam(*encoder_);
    state_.AddModule("encoder", *encoder_);
    state_.AddAdam("encoder_adam", *encoder_adam_);
  }
  InitOrthogonal(*actor_, random_, 1);
  InitOrthogonal(*critic_, random_, 2);
  MoveTowards(*target_critic_, *critic_, 1);
  actor_->to(options.device);
  critic_->to(options.device);
  target_critic_->to(options.device);
  actor_adam_ = adam(*actor_);
  critic_adam_ = adam(*critic_);
  state_.AddModule("actor", *actor_);
  state_.AddModule("critic", *critic_);
  state_.AddModule("target_critic", *target_critic_);
  state_.AddAdam("actor_adam", *actor_adam_);
  state_.AddAdam("critic_adam", *critic_adam_);
  state_.AddCounter("acts", &acts_);
  state_.AddCounter("updates", &updates_);
}

torch::Tensor DrQv2::Encode(const torch::Tensor& observation) {
  return encoder_.is_empty() ? observation : encoder_->forward(observation);
}

torch::Tensor DrQv2::Features(const torch::Tensor& observation, uint64_t shift_draw) {
  if (encoder_.is_empty() || options_.shift_pad_pixels == 0) return Encode(observation);
  const torch::Tensor shift =
      random_.Integers(RandomStream::kShift, shift_draw, 2 * options_.shift_pad_pixels + 1,
                       {observation.size(0), 2});
  return Encode(ShiftImages(observation.to(torch::kFloat32), shift.to(options_.device),
                            options_.shift_pad_pixels));
}

torch::Tensor DrQv2::Noise(RandomStream stream, uint64_t counter, int64_t rows) const {
  return random_.Normal(stream, counter, {rows, options_.action_dim}).to(options_.device);
}

absl::StatusOr<torch::Tensor> DrQv2::Act(const torch::Tensor& observation, ActMode mode,
                                         int64_t step) {
  std::vector<int64_t> shape = {-1};
  shape.insert(shape.end(), options_.observation_shape.begin(), options_.observation_shape.end());
  const absl::Status status =
      CheckTensor(observation, shape, ObservationType(options_), "observation");
  if (!status.ok()) return status;
  return WithoutThrowing("DrQv2::Act", [&]() -> absl::StatusOr<torch::Tensor> {
    torch::NoGradGuard no_grad;
    const int64_t rows = observation.size(0);
    const uint64_t draw = mode == ActMode::kExplore ? acts_++ : 0;
    if (mode == ActMode::kExplore && step < options_.random_steps) {
      return 2 * random_.Uniform(RandomStream::kExploration, draw, {rows, options_.action_dim}) - 1;
    }
    const torch::Tensor mean = actor_->forward(Encode(observation.to(options_.device)));
    if (mode == ActMode::kEvaluate) return mean.cpu();
    const double std = options_.exploration_std.At(step);
    const torch::Tensor noise = Noise(RandomStream::kExploration, draw, rows);
    return SampleTruncatedNormal(mean, std, noise, std::nullopt).cpu();
  });
}

torch::Tensor DrQv2::TargetValue(const Batch& batch, const torch::Tensor& next_features,
                                 double std) {
  torch::NoGradGuard no_grad;
  const torch::Tensor noise = Noise(RandomStream::kTargetNoise, updates_, batch.size());
  const torch::Tensor action =
      SampleTruncatedNormal(actor_->forward(next_features), std, noise, options_.noise_clip);
  const auto values = target_critic_->forward(next_features, action);
  return batch.reward.unsqueeze(1) +
         batch.discount.unsqueeze(1) * torch::minimum(values[0], values[1]);
}

void DrQv2::UpdateCritic(const Batch& batch, const torch::Tensor& features,
                         const torch::Tensor& target, Metrics& metrics) {
  const auto values = critic_->forward(features, batch.action);
  const torch::Tensor loss =
      torch::mse_loss(values[0], target) + torch::mse_loss(values[1], target);
  critic_adam_->zero_grad();
  if (encoder_adam_) encoder_adam_->zero_grad();
  loss.backward();
  critic_adam_->step();
  if (encoder_adam_) encoder_adam_->step();
  metrics["critic_loss"] = loss.item<double>();
  metrics["critic_value"] = values[0].mean().item<double>();
  metrics["target_value"] = target.mean().item<double>();
}

void DrQv2::UpdateActor(const torch::Tensor& features, double std, Metrics& metrics) {
  const torch::Tensor noise = Noise(RandomStream::kActorNoise, updates_, features.size(0));
  const torch::Tensor action =
      SampleTruncatedNormal(actor_->forward(features), std, noise, options_.noise_clip);
  const auto values = critic_->forward(features, action);
  const torch::Tensor loss = -torch::minimum(values[0], values[1]).mean();
  actor_adam_->zero_grad();
  loss.backward();
  actor_adam_->step();
  metrics["actor_loss"] = loss.item<double>();
}

absl::StatusOr<Metrics> DrQv2::Update(const Batch& given, int64_t step) {
  const absl::Status status =
      CheckBatch(given, options_.observation_shape, ObservationType(options_), options_.action_dim);
  if (!status.ok()) return status;
  return WithoutThrowing("DrQv2::Update", [&]() -> absl::StatusOr<Metrics> {
    const Batch batch = ToDevice(given, options_.device);
    const double std = options_.exploration_std.At(step);
    Metrics metrics = {{"exploration_std", std},
                       {"batch_reward", batch.reward.mean().item<double>()}};
    const torch::Tensor features = Features(batch.observation, 2 * updates_);
    torch::Tensor next_features;
    {
      torch::NoGradGuard no_grad;
      next_features = Features(batch.next_observation, 2 * updates_ + 1);
    }
    UpdateCritic(batch, features, TargetValue(batch, next_features, std), metrics);
    UpdateActor(features.detach(), std, metrics);
    MoveTowards(*target_critic_, *critic_, options_.target_rate);
    ++updates_;
    return metrics;
  });
}

absl::Status DrQv2::Save(const std::string& path) const { return state_.Save(path, kFormat); }

absl::Status DrQv2::Load(const std::string& path) { return state_.Load(path, kFormat); }

int64_t DrQv2::encoder_parameters() const {
  return encoder_.is_empty() ? 0 : CountParameters(*encoder_);
}
int64_t DrQv2::actor_parameters() const { return CountParameters(*actor_); }
int64_t DrQv2::critic_parameters() const { return CountParameters(*critic_); }

}  // namespace gwm::rl
