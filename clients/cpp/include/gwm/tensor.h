// Arrays as they travel: element type, shape, row-major little-endian bytes.
#ifndef GWM_TENSOR_H_
#define GWM_TENSOR_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "gwm/export.h"

namespace gwm::client {

enum class DType { kNone = 0, kU8, kI32, kI64, kF16, kBF16, kF32, kBool, kU16 };

// Bytes of one element; 0 for kNone.
GWM_CLIENT_EXPORT size_t ElementBytes(DType dtype);

template <typename T>
struct DTypeOf;
template <>
struct DTypeOf<uint8_t> {
  static constexpr DType value = DType::kU8;
};
template <>
struct DTypeOf<uint16_t> {
  static constexpr DType value = DType::kU16;
};
template <>
struct DTypeOf<int32_t> {
  static constexpr DType value = DType::kI32;
};
template <>
struct DTypeOf<int64_t> {
  static constexpr DType value = DType::kI64;
};
template <>
struct DTypeOf<float> {
  static constexpr DType value = DType::kF32;
};
template <>
struct DTypeOf<bool> {
  static constexpr DType value = DType::kBool;
};

// Valid when data.size() == product(shape) * ElementBytes(dtype); every tensor that a call returns
// is.
struct GWM_CLIENT_EXPORT Tensor {
  DType dtype = DType::kNone;
  std::vector<int64_t> shape;
  std::string data;

  // Product of the shape; 1 for a scalar.
  int64_t elements() const;
  bool empty() const { return data.empty(); }

  // The elements. Throws Error(kInvalidArgument) when T is not the dtype.
  template <typename T>
  std::span<const T> values() const {
    Require(DTypeOf<T>::value);
    return {reinterpret_cast<const T*>(data.data()), data.size() / sizeof(T)};
  }

  // Throws Error(kInvalidArgument) when the number of values is not the product of the shape.
  template <typename T>
  static Tensor From(std::vector<int64_t> shape, std::span<const T> values) {
    Tensor tensor{DTypeOf<T>::value, std::move(shape), {}};
    tensor.data.assign(reinterpret_cast<const char*>(values.data()), values.size_bytes());
    tensor.Check();
    return tensor;
  }

 private:
  void Require(DType wanted) const;
  void Check() const;
};

}  // namespace gwm::client

#endif  // GWM_TENSOR_H_
