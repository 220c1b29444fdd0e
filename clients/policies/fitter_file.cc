#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "clients/base/checks.h"
#include "clients/policies/fitter.h"

namespace gwm::policies {
namespace {

constexpr char kFormat[] = "gwm-policy-fit-1";
constexpr char kOnline[] = "online.", kAverage[] = "average.";

void AddWithPrefix(const std::string& prefix, const std::map<std::string, torch::Tensor>& from,
                   std::map<std::string, torch::Tensor>& to) {
  for (const auto& [name, tensor] : from) to[prefix + name] = tensor;
}

std::map<std::string, torch::Tensor> WithPrefix(const std::string& prefix,
                                                const std::map<std::string, torch::Tensor>& from) {
  std::map<std::string, torch::Tensor> found;
  for (const auto& [name, tensor] : from) {
    if (name.starts_with(prefix)) found[name.substr(prefix.size())] = tensor;
  }
  return found;
}

}  // namespace

torch::optim::AdamWParamState& Fitter::StateOf(const torch::Tensor& parameter) const {
  return static_cast<torch::optim::AdamWParamState&>(
      *adam_->state().at(parameter.unsafeGetTensorImpl()));
}

std::map<std::string, torch::Tensor> Fitter::Moments() const {
  std::map<std::string, torch::Tensor> moments;
  for (const auto& item : policy_.network().named_parameters()) {
    moments["mean." + item.key()] = StateOf(item.value()).exp_avg();
    moments["square." + item.key()] = StateOf(item.value()).exp_avg_sq();
  }
  return moments;
}

absl::Status Fitter::Save(const std::string& path) const {
  clients::StateFile state;
  AddWithPrefix(kOnline, policy_.Tensors(), state.tensors);
  AddWithPrefix(kAverage, average_->Tensors(), state.tensors);
  AddWithPrefix("", Moments(), state.tensors);
  state.metadata = {{"steps", absl::StrCat(steps_)}, {"config", WriteConfig(policy_.config())}};
  return clients::WriteStateFile(path, kFormat, state);
}

absl::Status Fitter::CheckState(const clients::StateFile& state, int64_t* steps) const {
  const auto metadata = [&](const std::string& key) {
    const auto found = state.metadata.find(key);
    return found == state.metadata.end() ? std::string() : found->second;
  };
  if (metadata("config") != WriteConfig(policy_.config())) {
    return absl::InvalidArgumentError("the file is of a policy with another config");
  }
  if (!absl::SimpleAtoi(metadata("steps"), steps) || *steps < 0) {
    return absl::InvalidArgumentError("the file has no count of steps");
  }
  for (const auto& [name, moment] : Moments()) {
    const auto found = state.tensors.find(name);
    absl::Status status = clients::CheckFinite(
        found == state.tensors.end() ? torch::Tensor() : found->second, moment.sizes().vec(), name);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status Fitter::Load(const std::string& path) {
  const auto state = clients::ReadStateFile(path, kFormat);
  if (!state.ok()) return state.status();
  int64_t steps = 0;
  absl::Status status = CheckState(*state, &steps);
  if (!status.ok()) return status;
  // The two policies fit the same names and shapes: when the first takes its tensors after this
  // check, so does the second.
  const auto probe = policy_.Clone();
  if (!probe.ok()) return probe.status();
  for (const char* prefix : {kOnline, kAverage}) {
    status = (*probe)->SetTensors(WithPrefix(prefix, state->tensors));
    if (!status.ok()) return status;
  }
  status = policy_.SetTensors(WithPrefix(kOnline, state->tensors));
  if (status.ok()) status = average_->SetTensors(WithPrefix(kAverage, state->tensors));
  if (!status.ok()) return status;
  for (auto& [name, moment] : Moments()) moment.copy_(state->tensors.at(name));
  for (const torch::Tensor& parameter : policy_.network().parameters()) {
    StateOf(parameter).step(steps);
  }
  steps_ = steps;
  return absl::OkStatus();
}

}  // namespace gwm::policies
