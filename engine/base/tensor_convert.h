// HostTensor / TensorView <-> torch::Tensor.
#ifndef GWM_ENGINE_BASE_TENSOR_CONVERT_H_
#define GWM_ENGINE_BASE_TENSOR_CONVERT_H_

#include <torch/torch.h>

#include "engine/io/host_tensor.h"

namespace gwm {

torch::ScalarType TorchType(DType dtype);
// Throws c10::TypeError for a type that files and the wire do not know.
DType HostType(torch::ScalarType type);

// A copy on the CPU, or on `device`.
torch::Tensor ToTorch(const TensorView& view, torch::Device device = torch::kCPU);
// The caller's own memory seen as a tensor: read only, and only as long as the memory lives.
torch::Tensor BorrowTorch(const TensorView& view);
// A copy from any device and any strides.
HostTensor ToHost(const torch::Tensor& tensor);

}  // namespace gwm

#endif  // GWM_ENGINE_BASE_TENSOR_CONVERT_H_
