#include "server/convert/tensor.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/base/error.h"
#include "server/base/status.h"

namespace gwm::server {
namespace {

constexpr std::array<std::pair<DType, v1::DType>, 8> kDTypes = {{
    {DType::kU8, v1::DTYPE_U8},
    {DType::kI32, v1::DTYPE_I32},
    {DType::kI64, v1::DTYPE_I64},
    {DType::kF16, v1::DTYPE_F16},
    {DType::kBF16, v1::DTYPE_BF16},
    {DType::kF32, v1::DTYPE_F32},
    {DType::kBool, v1::DTYPE_BOOL},
    {DType::kU16, v1::DTYPE_U16},
}};

// At most this many dimensions are read or printed; no field asks for more than 6.
constexpr int kMaxRank = 16;

std::string ShapeText(std::span<const int64_t> shape) {
  return absl::StrCat("[", absl::StrJoin(shape, ", "), "]");
}

std::string Wanted(const TensorRule& rule) {
  std::vector<std::string> sizes;
  for (int64_t dim : rule.shape) sizes.push_back(dim == kAnySize ? "any" : absl::StrCat(dim));
  return absl::StrCat(v1::DType_Name(ToProto(rule.dtype)), " ", rule.letters, " = [",
                      absl::StrJoin(sizes, ", "), "]");
}

std::string DTypeText(v1::DType dtype) {
  const std::string& name = v1::DType_Name(dtype);
  return name.empty() ? absl::StrCat("dtype ", static_cast<int>(dtype)) : name;
}

bool Matches(std::span<const int64_t> shape, const std::vector<int64_t>& wanted) {
  if (shape.size() != wanted.size()) return false;
  for (size_t i = 0; i < wanted.size(); ++i) {
    if (wanted[i] == kAnySize ? shape[i] < 1 : shape[i] != wanted[i]) return false;
  }
  return true;
}

// Bytes that the shape asks for; absent when they exceed what 63 bits hold.
std::optional<int64_t> BytesOf(std::span<const int64_t> shape, size_t element_bytes) {
  int64_t bytes = static_cast<int64_t>(element_bytes);
  for (int64_t dim : shape) {
    if (__builtin_mul_overflow(bytes, dim, &bytes)) return std::nullopt;
  }
  return bytes;
}

}  // namespace

absl::StatusOr<TensorView> ParseTensor(const v1::Tensor& tensor, const TensorRule& rule) {
  const std::span<const int64_t> shape(tensor.shape().data(),
                                       static_cast<size_t>(tensor.shape_size()));
  if (tensor.dtype() == v1::DTYPE_UNSPECIFIED && shape.empty() && tensor.data().empty()) {
    return BadTensor(rule.field, absl::StrCat("missing; ", Wanted(rule), " is asked for"));
  }
  if (shape.size() > kMaxRank) {
    return BadTensor(rule.field,
                     absl::StrCat(shape.size(), " dimensions; ", Wanted(rule), " is asked for"));
  }
  if (tensor.dtype() != ToProto(rule.dtype) || !Matches(shape, rule.shape)) {
    return BadTensor(rule.field, absl::StrCat(DTypeText(tensor.dtype()), " ", ShapeText(shape),
                                              "; ", Wanted(rule), " is asked for"));
  }
  const auto bytes = BytesOf(shape, DTypeBytes(rule.dtype));
  if (!bytes.has_value() || *bytes != static_cast<int64_t>(tensor.data().size())) {
    return BadTensor(
        rule.field,
        absl::StrCat(tensor.data().size(), " bytes of data; the shape ", ShapeText(shape),
                     " asks for ", bytes.has_value() ? absl::StrCat(*bytes) : "more than 2^63"));
  }
  return TensorView(rule.dtype, shape, tensor.data().data());
}

absl::Status CheckRange(const TensorView& tensor, const std::string& field, float min, float max) {
  const auto values = tensor.values<float>();
  const auto bad = std::find_if_not(values.begin(), values.end(), [min, max](float value) {
    return value >= min && value <= max;
  });
  if (bad == values.end()) return absl::OkStatus();
  return BadTensor(field, absl::StrCat("element ", bad - values.begin(), " is ", *bad, "; ", min,
                                       " to ", max, " is allowed"));
}

absl::Status CheckFinite(const TensorView& tensor, const std::string& field) {
  const auto values = tensor.values<float>();
  const auto bad = std::find_if_not(values.begin(), values.end(),
                                    [](float value) { return std::isfinite(value); });
  if (bad == values.end()) return absl::OkStatus();
  return BadTensor(field, absl::StrCat("element ", bad - values.begin(), " is ", *bad,
                                       "; finite numbers are allowed"));
}

v1::Tensor ToProto(HostTensor tensor) {
  v1::Tensor out;
  out.set_dtype(ToProto(tensor.dtype));
  out.mutable_shape()->Add(tensor.shape.begin(), tensor.shape.end());
  out.set_data(std::move(tensor.data));
  return out;
}

v1::Tensor ToProto(const std::vector<float>& values) {
  return ToProto(HostTensor::From<float>({static_cast<int64_t>(values.size())}, std::span(values)));
}

v1::Tensor BoolsToProto(const std::vector<uint8_t>& values) {
  v1::Tensor out;
  out.set_dtype(v1::DTYPE_BOOL);
  out.add_shape(static_cast<int64_t>(values.size()));
  out.set_data(values.data(), values.size());
  return out;
}

v1::DType ToProto(DType dtype) {
  const auto row = std::find_if(kDTypes.begin(), kDTypes.end(),
                                [dtype](const auto& pair) { return pair.first == dtype; });
  return row != kDTypes.end() ? row->second : v1::DTYPE_UNSPECIFIED;
}

std::optional<DType> FromProto(v1::DType dtype) {
  const auto row = std::find_if(kDTypes.begin(), kDTypes.end(),
                                [dtype](const auto& pair) { return pair.second == dtype; });
  if (row == kDTypes.end()) return std::nullopt;
  return row->first;
}

}  // namespace gwm::server
