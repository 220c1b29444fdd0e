#include "clients/rl/learner_state.h"

#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "clients/base/state_file.h"
#include "clients/rl/checks.h"

namespace gwm::rl {
namespace {

torch::optim::AdamParamState& StateOf(torch::optim::Adam& adam, const torch::Tensor& parameter) {
  return static_cast<torch::optim::AdamParamState&>(
      *adam.state().at(parameter.unsafeGetTensorImpl()));
}

const std::vector<torch::Tensor>& ParametersOf(torch::optim::Adam& adam) {
  return adam.param_groups().front().params();
}

uint64_t StepsOf(torch::optim::Adam& adam) {
  return static_cast<uint64_t>(StateOf(adam, ParametersOf(adam).front()).step());
}

void SetSteps(torch::optim::Adam& adam, uint64_t steps) {
  for (const torch::Tensor& parameter : ParametersOf(adam)) {
    StateOf(adam, parameter).step(static_cast<int64_t>(steps));
  }
}

absl::StatusOr<uint64_t> ReadCounter(const clients::StateFile& state, const std::string& name) {
  const auto found = state.metadata.find(name);
  uint64_t value = 0;
  if (found == state.metadata.end() || !absl::SimpleAtoi(found->second, &value) ||
      value > uint64_t{1} << 62) {
    return absl::InvalidArgumentError("no counter '" + name + "' in the file");
  }
  return value;
}

}  // namespace

std::unique_ptr<torch::optim::Adam> MakeAdam(std::vector<torch::Tensor> parameters,
                                             double learning_rate, double weight_decay) {
  auto adam = std::make_unique<torch::optim::Adam>(
      parameters, torch::optim::AdamOptions(learning_rate).weight_decay(weight_decay));
  for (const torch::Tensor& parameter : parameters) {
    auto state = std::make_unique<torch::optim::AdamParamState>();
    state->step(0);
    state->exp_avg(torch::zeros_like(parameter.detach()));
    state->exp_avg_sq(torch::zeros_like(parameter.detach()));
    adam->state()[parameter.unsafeGetTensorImpl()] = std::move(state);
  }
  return adam;
}

void LearnerState::AddModule(const std::string& name, const torch::nn::Module& module) {
  for (const auto& item : module.named_parameters()) {
    AddTensor(absl::StrCat(name, ".", item.key()), item.value());
  }
}

void LearnerState::AddAdam(const std::string& name, torch::optim::Adam& adam) {
  adams_[name] = &adam;
  int64_t number = 0;
  for (const torch::Tensor& parameter : ParametersOf(adam)) {
    const torch::optim::AdamParamState& state = StateOf(adam, parameter);
    AddTensor(absl::StrCat(name, ".mean.", number), state.exp_avg());
    AddTensor(absl::StrCat(name, ".square.", number), state.exp_avg_sq());
    ++number;
  }
}

void LearnerState::AddTensor(const std::string& name, const torch::Tensor& tensor) {
  tensors_[name] = tensor.detach();
}

void LearnerState::AddCounter(const std::string& name, uint64_t* counter) {
  counters_[name] = counter;
}

absl::Status LearnerState::Save(const std::string& path, const std::string& format) const {
  clients::StateFile state;
  state.tensors = tensors_;
  for (const auto& [name, counter] : counters_) state.metadata[name] = absl::StrCat(*counter);
  for (const auto& [name, adam] : adams_) {
    state.metadata[name + ".steps"] = absl::StrCat(StepsOf(*adam));
  }
  return clients::WriteStateFile(path, format, state);
}

absl::Status LearnerState::Load(const std::string& path, const std::string& format) {
  const absl::StatusOr<clients::StateFile> state = clients::ReadStateFile(path, format);
  if (!state.ok()) return state.status();
  if (state->tensors.size() != tensors_.size()) {
    return absl::InvalidArgumentError(absl::StrCat("the file has ", state->tensors.size(),
                                                   " tensors, this learner ", tensors_.size()));
  }
  for (const auto& [name, tensor] : tensors_) {
    const auto found = state->tensors.find(name);
    const absl::Status status =
        CheckTensor(found == state->tensors.end() ? torch::Tensor() : found->second,
                    tensor.sizes().vec(), tensor.scalar_type(), name);
    if (!status.ok()) return status;
  }
  std::map<std::string, uint64_t> values;
  for (const auto& [name, unused] : counters_) values[name] = 0;
  for (const auto& [name, unused] : adams_) values[name + ".steps"] = 0;
  for (auto& [name, value] : values) {
    const absl::StatusOr<uint64_t> read = ReadCounter(*state, name);
    if (!read.ok()) return read.status();
    value = *read;
  }
  torch::NoGradGuard no_grad;
  for (auto& [name, tensor] : tensors_) tensor.copy_(state->tensors.at(name));
  for (const auto& [name, counter] : counters_) *counter = values.at(name);
  for (const auto& [name, adam] : adams_) SetSteps(*adam, values.at(name + ".steps"));
  return absl::OkStatus();
}

}  // namespace gwm::rl
