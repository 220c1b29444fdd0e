#include "tests/golden/case.h"

#include <stdexcept>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "engine/base/tensor_convert.h"
#include "engine/io/safetensors.h"

namespace gwm::golden {
namespace {

// Python writes Infinity and NaN, which JSON does not know.
std::string StandardJson(const std::string& text) {
  return absl::StrReplaceAll(text, {{": -Infinity", ": -1.7976931348623157e308"},
                                    {": Infinity", ": 1.7976931348623157e308"},
                                    {": NaN", ": null"},
                                    {"[Infinity", "[1.7976931348623157e308"},
                                    {", Infinity", ", 1.7976931348623157e308"}});
}

std::string ShapeText(const torch::Tensor& tensor) {
  std::string text = "[";
  for (const int64_t dim : tensor.sizes()) absl::StrAppend(&text, text.size() > 1 ? ", " : "", dim);
  return text + "]";
}

std::string Text(const std::map<std::string, std::string>& metadata, const std::string& key,
                 const std::string& fallback) {
  const auto found = metadata.find(key);
  return found == metadata.end() ? fallback : found->second;
}

}  // namespace

absl::StatusOr<Case> Case::Open(const std::string& path) {
  absl::StatusOr<io::TensorFile> file = io::ReadTensorFile(path);
  if (!file.ok()) return file.status();
  const std::string op = Text(file->metadata, "op", "");
  if (op.empty()) return absl::InvalidArgumentError("the metadata have no 'op'");
  Case golden(path, op, Text(file->metadata, "tolerance", ""));
  try {
    golden.params_ = nlohmann::json::parse(StandardJson(Text(file->metadata, "params", "{}")));
    for (const auto& [name, tensor] : file->tensors) golden.tensors_[name] = ToTorch(tensor);
  } catch (const std::exception& error) {
    return absl::InvalidArgumentError(error.what());
  }
  return golden;
}

torch::Tensor Case::Get(const std::string& name) const {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) throw std::out_of_range("the case has no tensor '" + name + "'");
  return found->second;
}

torch::Tensor Case::Find(const std::string& name) const {
  const auto found = tensors_.find(name);
  return found == tensors_.end() ? torch::Tensor() : found->second;
}

std::map<std::string, torch::Tensor> Case::WithPrefix(const std::string& prefix) const {
  std::map<std::string, torch::Tensor> found;
  for (const auto& [name, tensor] : tensors_) {
    if (name.starts_with(prefix)) found[name.substr(prefix.size())] = tensor;
  }
  return found;
}

void Case::Check(const std::string& name, const torch::Tensor& value, const Tolerance& tolerance,
                 const torch::Tensor& mask) {
  const torch::Tensor reference = Find(name);
  if (!reference.defined()) return;
  checked_.insert(name);
  if (!value.defined()) return Fail(name + ": not computed");
  if (value.sizes() != reference.sizes()) {
    return Fail(
        absl::StrCat(name, ": shape ", ShapeText(value), ", the case has ", ShapeText(reference)));
  }
  const Difference difference = Compare(value, reference, tolerance, mask);
  max_abs_ = std::max(max_abs_, difference.max_abs);
  max_rel_ = std::max(max_rel_, difference.max_rel);
  if (difference.met) return;
  Fail(absl::StrCat(name, ": max_abs ", difference.max_abs, ", ", 100 * difference.violations,
                    "% of entries beyond abs ", tolerance.abs, " rel ", tolerance.rel));
}

void Case::CheckGradients(const torch::Tensor& loss,
                          const std::map<std::string, torch::Tensor>& leaves,
                          const Tolerance& tolerance) {
  std::vector<std::string> names;
  std::vector<torch::Tensor> wanted;
  for (const auto& [name, unused] : WithPrefix("grad.")) {
    const auto leaf = leaves.find(name);
    if (leaf == leaves.end()) continue;
    names.push_back(name);
    wanted.push_back(leaf->second);
  }
  if (names.empty()) return;
  const std::vector<torch::Tensor> gradients =
      torch::autograd::grad({loss}, wanted, {}, /*retain_graph=*/true, /*create_graph=*/false,
                            /*allow_unused=*/true);
  for (size_t i = 0; i < names.size(); ++i) {
    Check("grad." + names[i], gradients[i].defined() ? gradients[i] : torch::zeros_like(wanted[i]),
          tolerance);
  }
}

void Case::FailUnchecked() {
  for (const auto& [name, unused] : tensors_) {
    const bool result = name.starts_with("out.") || name.starts_with("grad.");
    if (result && checked_.count(name) == 0) Fail(name + ": this program computes no such tensor");
  }
}

}  // namespace gwm::golden
