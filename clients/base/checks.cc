#include "clients/base/checks.h"

namespace gwm::clients {
namespace {

bool Fits(at::IntArrayRef actual, const std::vector<int64_t>& wanted) {
  if (actual.size() != wanted.size()) return false;
  for (size_t i = 0; i < wanted.size(); ++i) {
    if (wanted[i] >= 0 && actual[i] != wanted[i]) return false;
  }
  return true;
}

}  // namespace

std::string ShapeText(at::IntArrayRef shape) {
  std::string text = "[";
  for (const int64_t size : shape) absl::StrAppend(&text, text.size() > 1 ? ", " : "", size);
  return text + "]";
}

absl::Status CheckTensor(const torch::Tensor& tensor, const std::vector<int64_t>& shape,
                         torch::ScalarType type, std::string_view name) {
  const std::string label(name);
  if (!tensor.defined()) return absl::InvalidArgumentError(label + " is missing");
  if (!Fits(tensor.sizes(), shape) || tensor.scalar_type() != type) {
    return absl::InvalidArgumentError(absl::StrCat(
        label, " is ", c10::toString(tensor.scalar_type()), " ", ShapeText(tensor.sizes()),
        ", expected ", c10::toString(type), " ", ShapeText(shape), " (-1: any size)"));
  }
  return absl::OkStatus();
}

absl::Status CheckFinite(const torch::Tensor& tensor, const std::vector<int64_t>& shape,
                         std::string_view name) {
  absl::Status status = CheckTensor(tensor, shape, torch::kFloat32, name);
  if (status.ok() && !torch::isfinite(tensor).all().item<bool>()) {
    status = absl::InvalidArgumentError(std::string(name) + " has an entry that is not finite");
  }
  return status;
}

}  // namespace gwm::clients
