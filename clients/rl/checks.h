// Checks of a caller's tensors, as statuses that name the tensor and both shapes.
#ifndef GWM_CLIENTS_RL_CHECKS_H_
#define GWM_CLIENTS_RL_CHECKS_H_

#include <vector>

#include "clients/base/checks.h"
#include "clients/rl/batch.h"

namespace gwm::rl {

using clients::CheckFinite;
using clients::CheckTensor;
using clients::ShapeText;
using clients::WithoutThrowing;

// Checks every tensor of a batch (B >= 1 rows, finite f32 values) for an agent with that shape and
// type of one observation.
absl::Status CheckBatch(const Batch& batch, const std::vector<int64_t>& observation_shape,
                        torch::ScalarType observation_type, int64_t action_dim);

}  // namespace gwm::rl

#endif  // GWM_CLIENTS_RL_CHECKS_H_
