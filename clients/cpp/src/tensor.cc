#include "gwm/tensor.h"

#include <string>

#include "gwm/error.h"

namespace gwm::client {
namespace {

const char* Name(DType dtype) {
  switch (dtype) {
    case DType::kNone:
      return "none";
    case DType::kU8:
      return "u8";
    case DType::kI32:
      return "i32";
    case DType::kI64:
      return "i64";
    case DType::kF16:
      return "f16";
    case DType::kBF16:
      return "bf16";
    case DType::kF32:
      return "f32";
    case DType::kBool:
      return "bool";
    case DType::kU16:
      return "u16";
  }
  return "unknown";
}

[[noreturn]] void ThrowInvalid(std::string message) {
  throw Error(
      {.code = Code::kInvalidArgument, .reason = "BAD_TENSOR", .message = std::move(message)});
}

}  // namespace

size_t ElementBytes(DType dtype) {
  switch (dtype) {
    case DType::kNone:
      return 0;
    case DType::kU8:
    case DType::kBool:
      return 1;
    case DType::kF16:
    case DType::kBF16:
    case DType::kU16:
      return 2;
    case DType::kI32:
    case DType::kF32:
      return 4;
    case DType::kI64:
      return 8;
  }
  return 0;
}

int64_t Tensor::elements() const {
  int64_t count = 1;
  for (int64_t dim : shape) count *= dim;
  return count;
}

void Tensor::Require(DType wanted) const {
  if (dtype != wanted) {
    ThrowInvalid(std::string("tensor holds ") + Name(dtype) + ", asked for " + Name(wanted));
  }
}

void Tensor::Check() const {
  const size_t wanted = static_cast<size_t>(elements()) * ElementBytes(dtype);
  if (data.size() != wanted) {
    ThrowInvalid("tensor of " + std::to_string(elements()) + " elements got " +
                 std::to_string(data.size()) + " bytes; expected " + std::to_string(wanted));
  }
}

}  // namespace gwm::client
