// Which device computes. How it does: compute.h.
#ifndef GWM_ENGINE_BASE_DEVICE_H_
#define GWM_ENGINE_BASE_DEVICE_H_

#include <torch/torch.h>

#include <string_view>

#include "absl/status/statusor.h"

namespace gwm {

// `name` is auto | cpu | cuda | cuda:N. auto takes cuda:0 when it works, else the CPU.
// InvalidArgument: another name. FailedPrecondition: no usable GPU, with the reason.
absl::StatusOr<torch::Device> ChooseDevice(std::string_view name);

// Makes idle compute threads sleep instead of spinning: on shared cores spinning costs a factor of
// six. The OpenMP library reads its settings while it is loaded, so the program replaces itself
// once with them in its environment. Call it first in main(); does nothing where the environment
// already says how to wait.
void WaitPassively(char** argv);

}  // namespace gwm

#endif  // GWM_ENGINE_BASE_DEVICE_H_
