#include "engine/base/shape.h"

namespace gwm {
namespace {

std::string Join(c10::ArrayRef<int64_t> dims) {
  std::string text;
  for (int64_t dim : dims) {
    if (!text.empty()) text += ", ";
    text += dim == kAny ? "*" : std::to_string(dim);
  }
  return text;
}

bool TailMatches(const torch::Tensor& tensor, std::initializer_list<int64_t> dims) {
  const int64_t offset = tensor.dim() - static_cast<int64_t>(dims.size());
  int64_t axis = offset;
  for (int64_t dim : dims) {
    if (dim != kAny && tensor.size(axis) != dim) return false;
    ++axis;
  }
  return true;
}

}  // namespace

std::string Describe(const torch::Tensor& tensor) {
  if (!tensor.defined()) return "undefined";
  return std::string(c10::toString(tensor.scalar_type())) + " [" + Join(tensor.sizes()) + "]";
}

void CheckShape(const torch::Tensor& tensor, std::initializer_list<int64_t> dims,
                std::string_view name) {
  const bool fits = tensor.defined() && tensor.dim() == static_cast<int64_t>(dims.size()) &&
                    TailMatches(tensor, dims);
  TORCH_CHECK_VALUE(fits, name, " is ", Describe(tensor), ", expected [", Join(dims), "]");
}

void CheckTrailing(const torch::Tensor& tensor, std::initializer_list<int64_t> dims,
                   std::string_view name) {
  const bool fits = tensor.defined() && tensor.dim() >= static_cast<int64_t>(dims.size()) &&
                    TailMatches(tensor, dims);
  TORCH_CHECK_VALUE(fits, name, " is ", Describe(tensor), ", expected [..., ", Join(dims), "]");
}

void CheckDType(const torch::Tensor& tensor, torch::ScalarType dtype, std::string_view name) {
  TORCH_CHECK_VALUE(tensor.defined() && tensor.scalar_type() == dtype, name, " is ",
                    Describe(tensor), ", expected dtype ", c10::toString(dtype));
}

}  // namespace gwm
