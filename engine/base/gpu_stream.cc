#include "engine/base/gpu_stream.h"

#include <c10/core/impl/VirtualGuardImpl.h>

namespace gwm {

// Through Torch's own table of back ends: nothing of CUDA has to be there when this is compiled.
kernels::GpuStream CurrentGpuStream(torch::Device device) {
  const c10::impl::VirtualGuardImpl backend(device.type());
  return static_cast<kernels::GpuStream>(backend.getStream(device).native_handle());
}

torch::Device KernelDevice(torch::Device device) {
#ifdef GWM_HAVE_CUDA
  return device;
#else
  return device.is_cuda() ? torch::Device(torch::kCPU) : device;
#endif
}

void CheckKernel(kernels::KernelStatus status, const char* what) {
  TORCH_CHECK(status == kernels::KernelStatus::kOk, what, ": ", kernels::KernelStatusName(status));
}

}  // namespace gwm
