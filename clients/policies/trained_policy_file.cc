#include <utility>

#include "absl/strings/str_cat.h"
#include "clients/base/checks.h"
#include "clients/base/state_file.h"
#include "clients/policies/trained_policy.h"
#include "engine/io/file.h"
#include "engine/io/folder_edit.h"

namespace gwm::policies {
namespace {

constexpr char kConfigFile[] = "/config.json";
constexpr char kModelFile[] = "/model.safetensors";
constexpr char kModelFormat[] = "gwm-policy-1";
constexpr size_t kMostConfigBytes = size_t{1} << 20;

}  // namespace

std::map<std::string, torch::Tensor> TrainedPolicy::Tensors() const {
  std::map<std::string, torch::Tensor> tensors;
  for (const auto& item : head_->network().named_parameters()) {
    tensors["model." + item.key()] = item.value().detach();
  }
  tensors["normalizer.observation.scale"] = observation_normalizer_.scale;
  tensors["normalizer.observation.offset"] = observation_normalizer_.offset;
  tensors["normalizer.action.scale"] = action_normalizer_.scale;
  tensors["normalizer.action.offset"] = action_normalizer_.offset;
  return tensors;
}

absl::Status TrainedPolicy::SetTensors(const std::map<std::string, torch::Tensor>& tensors) {
  std::map<std::string, torch::Tensor> own = Tensors();
  for (const auto& [name, tensor] : own) {
    const auto found = tensors.find(name);
    absl::Status status =
        clients::CheckFinite(found == tensors.end() ? torch::Tensor() : found->second,
                             tensor.sizes().vec(), "tensor " + name);
    if (!status.ok()) return status;
    if (name.ends_with(".scale") && (found->second == 0).any().item<bool>()) {
      return absl::InvalidArgumentError("tensor " + name + " has a zero");
    }
  }
  for (const auto& [name, unused] : tensors) {
    if (!own.contains(name)) {
      return absl::InvalidArgumentError("tensor " + name + " belongs to no part of this policy");
    }
  }
  torch::NoGradGuard no_grad;
  for (auto& [name, tensor] : own) tensor.copy_(tensors.at(name));
  return absl::OkStatus();
}

absl::Status TrainedPolicy::Save(const std::string& folder) const {
  auto edit = io::FolderEdit::Begin(folder);
  if (!edit.ok()) return edit.status();
  absl::Status status = io::WriteFileAtomic((*edit)->staged() + kConfigFile, WriteConfig(config_));
  if (status.ok()) {
    status = clients::WriteStateFile((*edit)->staged() + kModelFile, kModelFormat,
                                     {.tensors = Tensors(), .metadata = {}});
  }
  return status.ok() ? (*edit)->Commit() : status;
}

absl::StatusOr<std::unique_ptr<TrainedPolicy>> TrainedPolicy::Load(const std::string& folder,
                                                                   torch::Device device) {
  const auto text = io::ReadFile(folder + kConfigFile, kMostConfigBytes);
  if (!text.ok()) return text.status();
  const auto config = ReadConfig(*text);
  if (!config.ok()) return config.status();
  const auto file = clients::ReadStateFile(folder + kModelFile, kModelFormat);
  if (!file.ok()) return file.status();
  auto policy = Create(*config, device);
  if (!policy.ok()) return policy;
  absl::Status status = (*policy)->SetTensors(file->tensors);
  if (!status.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("model.safetensors does not fit config.json: ", status.message()));
  }
  return policy;
}

}  // namespace gwm::policies
