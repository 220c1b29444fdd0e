// The cheapest pairing of two sets: couplings of noise and data, distances between samples.
#ifndef GWM_CLIENTS_POLICIES_ASSIGNMENT_H_
#define GWM_CLIENTS_POLICIES_ASSIGNMENT_H_

#include <torch/torch.h>

#include <vector>

#include "absl/status/statusor.h"

namespace gwm::policies {

// cost [N, N] f32 or f64 -> column of each row, so that the sum of costs is least (the Hungarian
// method with shortest augmenting paths; N^3 time, on the CPU). InvalidArgument for another shape,
// type, or an entry that is not finite.
absl::StatusOr<std::vector<int64_t>> CheapestAssignment(const torch::Tensor& cost);

}  // namespace gwm::policies

#endif  // GWM_CLIENTS_POLICIES_ASSIGNMENT_H_
