// Result codes of the kernels: this folder knows no absl, the engine's glue turns them into
// absl::Status.
#ifndef GWM_KERNELS_STATUS_H_
#define GWM_KERNELS_STATUS_H_

struct CUstream_st;

namespace gwm::kernels {

enum class [[nodiscard]] KernelStatus{
    kOk = 0,
    kInvalidArgument,   // a size or parameter outside the range that the header states
    kCapacityExceeded,  // a buffer of fixed capacity was too small; outputs are not valid
    kNoCuda,            // built without nvcc
    kLaunchFailed,      // the CUDA runtime refused the launch (no driver, no device, earlier error)
};

const char* KernelStatusName(KernelStatus status);

// A cudaStream_t without the CUDA headers; null = the default stream.
using GpuStream = CUstream_st*;

}  // namespace gwm::kernels

#endif  // GWM_KERNELS_STATUS_H_
