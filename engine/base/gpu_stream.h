// The stream that Torch uses at the moment, for the kernels that are launched beside its own.
#ifndef GWM_ENGINE_BASE_GPU_STREAM_H_
#define GWM_ENGINE_BASE_GPU_STREAM_H_

#include <torch/torch.h>

#include "kernels/status.h"

namespace gwm {

// Requires a CUDA device with its back end loaded.
kernels::GpuStream CurrentGpuStream(torch::Device device);

// Where the kernels take tensors of `device` from: there, or from the CPU when they were built
// without nvcc.
torch::Device KernelDevice(torch::Device device);

// Throws c10::Error with `what` and the status's name unless it is kOk.
void CheckKernel(kernels::KernelStatus status, const char* what);

}  // namespace gwm

#endif  // GWM_ENGINE_BASE_GPU_STREAM_H_
