// Arrays: wire <-> engine.
#ifndef GWM_SERVER_CONVERT_TENSOR_H_
#define GWM_SERVER_CONVERT_TENSOR_H_

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/io/host_tensor.h"
#include "gwm/v1/tensor.pb.h"

namespace gwm::server {

inline constexpr int64_t kAnySize = -1;

// What a field asks for. `letters` names the dimensions in messages: "[n, A]".
struct TensorRule {
  std::string field;
  DType dtype = DType::kF32;
  std::vector<int64_t> shape;  // kAnySize: any size from 1 up
  std::string letters;
};

// A view of the tensor's bytes, without a copy, after checking presence, dtype, shape and length.
// InvalidArgument / BAD_TENSOR names the field, what it holds and what is asked for.
absl::StatusOr<TensorView> ParseTensor(const v1::Tensor& tensor, const TensorRule& rule);

// BAD_TENSOR unless every element lies in [min, max]; not-a-number never does. The view must be
// F32.
absl::Status CheckRange(const TensorView& tensor, const std::string& field, float min, float max);
// BAD_TENSOR unless every element is finite.
absl::Status CheckFinite(const TensorView& tensor, const std::string& field);

// Moves the bytes.
v1::Tensor ToProto(HostTensor tensor);
// One-dimensional.
v1::Tensor ToProto(const std::vector<float>& values);
v1::Tensor BoolsToProto(const std::vector<uint8_t>& values);

v1::DType ToProto(DType dtype);
std::optional<DType> FromProto(v1::DType dtype);

}  // namespace gwm::server

#endif  // GWM_SERVER_CONVERT_TENSOR_H_
