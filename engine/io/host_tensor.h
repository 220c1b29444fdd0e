// A tensor in host memory: the common currency of files, the engine's border and the wire.
#ifndef GWM_ENGINE_IO_HOST_TENSOR_H_
#define GWM_ENGINE_IO_HOST_TENSOR_H_

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gwm {

static_assert(std::endian::native == std::endian::little, "tensors are copied as they lie");

enum class DType : uint8_t {
  kU8,
  kU16,
  kI32,
  kI64,
  kF16,
  kBF16,
  kF32,
  kF64,
  kBool,  // one byte, 0 or 1
  kI8,    // from here on: read from and written to files, never on the wire
  kI16,
  kU32,
  kU64,
};

// Bytes of one element.
size_t DTypeBytes(DType dtype);
// "u8", "f32", "bool", ...
std::string_view DTypeName(DType dtype);
// The dtype of that lower-case name.
std::optional<DType> DTypeFromName(std::string_view name);

// Bytes of a dense tensor. Nothing when a dimension is negative or when the product of the
// dimensions other than zero does not fit, so that any sub-product of an accepted shape is safe to
// compute.
std::optional<size_t> CheckedTensorBytes(DType dtype, std::span<const int64_t> shape);

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
struct DTypeOf<double> {
  static constexpr DType value = DType::kF64;
};
template <>
struct DTypeOf<int8_t> {
  static constexpr DType value = DType::kI8;
};
template <>
struct DTypeOf<int16_t> {
  static constexpr DType value = DType::kI16;
};
template <>
struct DTypeOf<uint32_t> {
  static constexpr DType value = DType::kU32;
};
template <>
struct DTypeOf<uint64_t> {
  static constexpr DType value = DType::kU64;
};

// Row-major, little-endian. `data` is a string so that it moves into a protobuf `bytes` field
// without a copy. Invariant kept by every function that makes one: data.size() == product(shape) *
// DTypeBytes(dtype).
struct HostTensor {
  DType dtype = DType::kF32;
  std::vector<int64_t> shape;
  std::string data;

  // Product of the shape; 1 for a scalar.
  int64_t elements() const;

  // The elements as T. Requires DTypeOf<T>::value == dtype.
  template <typename T>
  std::span<const T> values() const {
    return {reinterpret_cast<const T*>(data.data()), data.size() / sizeof(T)};
  }
  template <typename T>
  std::span<T> mutable_values() {
    return {reinterpret_cast<T*>(data.data()), data.size() / sizeof(T)};
  }

  // Requires as many values as the shape has elements.
  template <typename T>
  static HostTensor From(std::vector<int64_t> shape, std::span<const T> values) {
    HostTensor tensor{DTypeOf<T>::value, std::move(shape), {}};
    tensor.data.assign(reinterpret_cast<const char*>(values.data()), values.size_bytes());
    return tensor;
  }
  // Zero-filled. Requires a shape that CheckedTensorBytes accepts.
  static HostTensor Zeros(DType dtype, std::vector<int64_t> shape);
};

// "f32 [2, 3]": for error messages.
std::string DescribeTensor(const HostTensor& tensor);

// A borrowed tensor: the caller keeps the bytes alive during the call.
struct TensorView {
  DType dtype = DType::kF32;
  std::span<const int64_t> shape;
  const void* data = nullptr;

  TensorView() = default;
  TensorView(DType type, std::span<const int64_t> dims, const void* bytes)
      : dtype(type), shape(dims), data(bytes) {}
  TensorView(const HostTensor& tensor)  // NOLINT: a view of an owned tensor is what callers mean.
      : dtype(tensor.dtype), shape(tensor.shape), data(tensor.data.data()) {}

  int64_t elements() const {
    int64_t count = 1;
    for (int64_t dim : shape) count *= dim;
    return count;
  }
  template <typename T>
  std::span<const T> values() const {
    return {static_cast<const T*>(data), static_cast<size_t>(elements())};
  }
};

}  // namespace gwm

#endif  // GWM_ENGINE_IO_HOST_TENSOR_H_
