// Plan: which of several action sequences is best, out of a rollout of all of them.
#ifndef GWM_SERVER_WORK_PLAN_H_
#define GWM_SERVER_WORK_PLAN_H_

#include <vector>

#include "absl/status/statusor.h"
#include "server/work/imagine_rollout.h"

namespace gwm::server {

struct PlanArgs {
  ImagineArgs rollout;  // one chunk, common noise
  double discount = 1;
};

// One entry per sequence.
struct PlanResult {
  std::vector<float> returns;  // -inf for a sequence that failed
  uint32_t best = 0;
  uint32_t steps = 1;                   // H
  std::span<const float> best_actions;  // [H, A]; borrowed from the request
  std::vector<uint8_t> terminated;
  std::vector<uint8_t> success;
  std::vector<float> expected_error;  // [H] of the best one; empty: not told
  std::vector<absl::Status> row_status;
  uint64_t computed_rows = 0;  // steps that were computed
  uint32_t sampler_calls = 0;
};

// `rolled` is the one chunk of args.rollout. The status of the first sequence when all failed.
absl::StatusOr<PlanResult> ChooseBest(const PlanArgs& args, ImagineResult rolled);

}  // namespace gwm::server

#endif  // GWM_SERVER_WORK_PLAN_H_
