// Small helpers for adapters that call the pointer-based kernels.
#ifndef GWM_TESTS_GOLDEN_KERNEL_CALL_H_
#define GWM_TESTS_GOLDEN_KERNEL_CALL_H_

#include <torch/torch.h>

#include <stdexcept>
#include <string>

#include "kernels/status.h"

namespace gwm::golden {

// Throws with the kernel's name unless it succeeded.
inline void Require(kernels::KernelStatus status, const std::string& kernel) {
  if (status == kernels::KernelStatus::kOk) return;
  throw std::runtime_error(kernel + ": " + kernels::KernelStatusName(status));
}

inline torch::Tensor F32(const torch::Tensor& x) { return x.to(torch::kFloat32).contiguous(); }

// The elements of a contiguous tensor; null for an undefined one.
template <typename T>
T* Data(const torch::Tensor& x) {
  return x.defined() ? x.data_ptr<T>() : nullptr;
}

}  // namespace gwm::golden

#endif  // GWM_TESTS_GOLDEN_KERNEL_CALL_H_
