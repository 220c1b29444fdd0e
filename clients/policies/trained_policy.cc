#include "clients/policies/trained_policy.h"

#include "absl/strings/str_cat.h"
#include "clients/base/checks.h"
#include "clients/policies/head_factory.h"
#include "clients/policies/noise.h"

namespace gwm::policies {
namespace {

using clients::CheckFinite;

absl::Status CheckObservation(const torch::Tensor& observation, const ChunkSpec& spec) {
  absl::Status status =
      CheckFinite(observation, {-1, spec.observation_steps, spec.observation_dim}, "observation");
  if (status.ok() && observation.size(0) < 1) {
    status = absl::InvalidArgumentError("observation has no rows");
  }
  return status;
}

absl::Status CheckBatch(const ChunkBatch& batch, const ChunkSpec& spec) {
  absl::Status status = CheckObservation(batch.observation, spec);
  if (!status.ok()) return status;
  const int64_t rows = batch.observation.size(0);
  status = CheckFinite(batch.action, {rows, spec.horizon, spec.action_dim}, "action");
  if (!status.ok() || !batch.valid.defined()) return status;
  status = CheckFinite(batch.valid, {rows, spec.horizon}, "valid");
  if (status.ok() && ((batch.valid != 0) & (batch.valid != 1)).any().item<bool>()) {
    status = absl::InvalidArgumentError("valid has an entry other than 0 and 1");
  }
  return status;
}

}  // namespace

TrainedPolicy::TrainedPolicy(const PolicyConfig& config, torch::Device device)
    : config_(config),
      device_(device),
      head_(MakeHead(config)),
      observation_normalizer_(Normalizer::Identity(config.spec.observation_dim)),
      action_normalizer_(Normalizer::Identity(config.spec.action_dim)) {
  head_->network().to(device);
  for (Normalizer* normalizer : {&observation_normalizer_, &action_normalizer_}) {
    *normalizer = {normalizer->scale.to(device), normalizer->offset.to(device)};
  }
}

absl::StatusOr<std::unique_ptr<TrainedPolicy>> TrainedPolicy::Create(const PolicyConfig& config,
                                                                     torch::Device device) {
  absl::Status status = CheckConfig(config);
  if (!status.ok()) return status;
  return clients::WithoutThrowing(
      "TrainedPolicy", [&]() -> absl::StatusOr<std::unique_ptr<TrainedPolicy>> {
        return std::unique_ptr<TrainedPolicy>(new TrainedPolicy(config, device));
      });
}

absl::StatusOr<std::unique_ptr<TrainedPolicy>> TrainedPolicy::Clone() const {
  auto copy = Create(config_, device_);
  if (!copy.ok()) return copy;
  absl::Status status = (*copy)->SetTensors(Tensors());
  if (!status.ok()) return status;
  return copy;
}

absl::Status TrainedPolicy::FitNormalizers(const torch::Tensor& observations,
                                           const torch::Tensor& actions) {
  const ChunkSpec& spec = config_.spec;
  absl::Status status = CheckFinite(observations, {-1, spec.observation_dim}, "observations");
  if (status.ok()) status = CheckFinite(actions, {-1, spec.action_dim}, "actions");
  if (!status.ok()) return status;
  const auto observation = Normalizer::Fit(config_.observation_normalizer, observations);
  if (!observation.ok()) return observation.status();
  const auto action = Normalizer::Fit(config_.action_normalizer, actions);
  if (!action.ok()) return action.status();
  auto tensors = Tensors();
  tensors["normalizer.observation.scale"] = observation->scale;
  tensors["normalizer.observation.offset"] = observation->offset;
  tensors["normalizer.action.scale"] = action->scale;
  tensors["normalizer.action.offset"] = action->offset;
  return SetTensors(tensors);
}

ChunkNoise TrainedPolicy::OnDevice(const ChunkNoise& noise) const {
  return {noise.uniform.to(device_), noise.normal.to(device_)};
}

absl::StatusOr<torch::Tensor> TrainedPolicy::Act(const torch::Tensor& observation,
                                                 const ChunkNoise& noise) {
  return clients::WithoutThrowing("Act", [&]() -> absl::StatusOr<torch::Tensor> {
    absl::Status status = CheckObservation(observation, config_.spec);
    if (!status.ok()) return status;
    status = CheckNoise(noise, ActNoise(), config_.spec, observation.size(0));
    if (!status.ok()) return status;
    torch::NoGradGuard no_grad;
    const torch::Tensor chunk =
        head_->Sample(observation_normalizer_.Apply(observation.to(device_)), OnDevice(noise));
    const torch::Tensor action = action_normalizer_.Invert(chunk).to(torch::kCPU);
    if (!torch::isfinite(action).all().item<bool>()) {
      return absl::InternalError("the policy's actions are not finite");
    }
    return action;
  });
}

absl::StatusOr<torch::Tensor> TrainedPolicy::Loss(const ChunkBatch& batch,
                                                  const ChunkNoise& noise) {
  return clients::WithoutThrowing("Loss", [&]() -> absl::StatusOr<torch::Tensor> {
    absl::Status status = CheckBatch(batch, config_.spec);
    if (!status.ok()) return status;
    status = CheckNoise(noise, LossNoise(), config_.spec, batch.observation.size(0));
    if (!status.ok()) return status;
    const ChunkBatch normalised = {
        observation_normalizer_.Apply(batch.observation.to(device_)),
        action_normalizer_.Apply(batch.action.to(device_)),
        batch.valid.defined() ? batch.valid.to(device_) : torch::Tensor()};
    return head_->Loss(normalised, OnDevice(noise));
  });
}

}  // namespace gwm::policies
