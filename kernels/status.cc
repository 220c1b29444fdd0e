#include "kernels/status.h"

namespace gwm::kernels {

const char* KernelStatusName(KernelStatus status) {
  switch (status) {
    case KernelStatus::kOk:
      return "ok";
    case KernelStatus::kInvalidArgument:
      return "invalid argument";
    case KernelStatus::kCapacityExceeded:
      return "capacity exceeded";
    case KernelStatus::kNoCuda:
      return "built without CUDA";
    case KernelStatus::kLaunchFailed:
      return "CUDA launch failed";
  }
  return "unknown";
}

}  // namespace gwm::kernels
