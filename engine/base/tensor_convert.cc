#include "engine/base/tensor_convert.h"

#include <string>

namespace gwm {

torch::ScalarType TorchType(DType dtype) {
  switch (dtype) {
    case DType::kU8:
      return torch::kUInt8;
    case DType::kI8:
      return torch::kInt8;
    case DType::kU16:
      return torch::kUInt16;
    case DType::kI16:
      return torch::kInt16;
    case DType::kU32:
      return torch::kUInt32;
    case DType::kU64:
      return torch::kUInt64;
    case DType::kI32:
      return torch::kInt32;
    case DType::kI64:
      return torch::kInt64;
    case DType::kF16:
      return torch::kFloat16;
    case DType::kBF16:
      return torch::kBFloat16;
    case DType::kF32:
      return torch::kFloat32;
    case DType::kF64:
      return torch::kFloat64;
    case DType::kBool:
      return torch::kBool;
  }
  C10_THROW_ERROR(TypeError, "dtype out of range");
}

DType HostType(torch::ScalarType type) {
  switch (type) {
    case torch::kUInt8:
      return DType::kU8;
    case torch::kInt8:
      return DType::kI8;
    case torch::kUInt16:
      return DType::kU16;
    case torch::kInt16:
      return DType::kI16;
    case torch::kUInt32:
      return DType::kU32;
    case torch::kUInt64:
      return DType::kU64;
    case torch::kInt32:
      return DType::kI32;
    case torch::kInt64:
      return DType::kI64;
    case torch::kFloat16:
      return DType::kF16;
    case torch::kBFloat16:
      return DType::kBF16;
    case torch::kFloat32:
      return DType::kF32;
    case torch::kFloat64:
      return DType::kF64;
    case torch::kBool:
      return DType::kBool;
    default:
      break;
  }
  C10_THROW_ERROR(TypeError, std::string("no file or wire dtype for ") + c10::toString(type));
}

torch::Tensor BorrowTorch(const TensorView& view) {
  const c10::IntArrayRef shape(view.shape.data(), view.shape.size());
  // from_blob takes a mutable pointer; the contract in the header says read only.
  return torch::from_blob(const_cast<void*>(view.data), shape,
                          torch::TensorOptions(TorchType(view.dtype)));
}

torch::Tensor ToTorch(const TensorView& view, torch::Device device) {
  const torch::Tensor borrowed = BorrowTorch(view);
  return device.is_cpu() ? borrowed.clone() : borrowed.to(device);
}

HostTensor ToHost(const torch::Tensor& tensor) {
  TORCH_CHECK_VALUE(tensor.defined(), "ToHost of an undefined tensor");
  const torch::Tensor host = tensor.detach().to(torch::kCPU).contiguous();
  HostTensor result{HostType(host.scalar_type()), host.sizes().vec(), {}};
  if (host.numel() > 0) {
    result.data.assign(static_cast<const char*>(host.const_data_ptr()), host.nbytes());
  }
  return result;
}

}  // namespace gwm
