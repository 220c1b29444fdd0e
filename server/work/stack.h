// Rows of equal tensors as one tensor with a leading dimension.
#ifndef GWM_SERVER_WORK_STACK_H_
#define GWM_SERVER_WORK_STACK_H_

#include <vector>

#include "absl/status/statusor.h"
#include "engine/io/host_tensor.h"

namespace gwm::server {

// [n, ...] of n tensors of one dtype and shape; null ones become zeros. Internal when they differ
// or all are null.
absl::StatusOr<HostTensor> StackRows(const std::vector<const HostTensor*>& rows);

// The same data with dimensions [a, b, ...] for a tensor [a * b, ...].
HostTensor SplitLeading(HostTensor tensor, int64_t a, int64_t b);

}  // namespace gwm::server

#endif  // GWM_SERVER_WORK_STACK_H_
