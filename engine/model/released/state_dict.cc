#include "engine/model/released/state_dict.h"

#include "absl/strings/str_cat.h"

namespace gwm::released {
namespace {

std::string ShapeText(const torch::Tensor& tensor) {
  std::string text = "[";
  for (const int64_t dim : tensor.sizes()) absl::StrAppend(&text, text.size() > 1 ? ", " : "", dim);
  return text + "]";
}

// All parameters and buffers by their dotted names.
std::map<std::string, torch::Tensor> NamedTensors(const torch::nn::Module& module) {
  std::map<std::string, torch::Tensor> named;
  for (const auto& item : module.named_parameters()) named[item.key()] = item.value();
  for (const auto& item : module.named_buffers()) named[item.key()] = item.value();
  return named;
}

}  // namespace

absl::Status LoadStateDict(const std::map<std::string, torch::Tensor>& tensors,
                           torch::nn::Module& module) {
  const std::map<std::string, torch::Tensor> named = NamedTensors(module);
  for (const auto& [name, target] : named) {
    const auto source = tensors.find(name);
    if (source == tensors.end()) {
      return absl::InvalidArgumentError(absl::StrCat("state dict: '", name, "' is missing"));
    }
    if (source->second.sizes() != target.sizes()) {
      return absl::InvalidArgumentError(absl::StrCat("state dict: '", name, "' has shape ",
                                                     ShapeText(source->second),
                                                     ", the model needs ", ShapeText(target)));
    }
  }
  for (const auto& [name, source] : tensors) {
    if (named.count(name) == 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("state dict: the model has no tensor '", name, "'"));
    }
  }
  torch::NoGradGuard no_grad;
  for (const auto& [name, target] : named) torch::Tensor(target).copy_(tensors.at(name));
  return absl::OkStatus();
}

ParameterCount CountParameters(const torch::nn::Module& module) {
  ParameterCount count;
  for (const torch::Tensor& parameter : module.parameters()) {
    count.total += parameter.numel();
    if (parameter.requires_grad()) count.trainable += parameter.numel();
  }
  return count;
}

}  // namespace gwm::released
