#include "server/work/plan.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace gwm::server {
namespace {

// [H] of sequence `best`; a rollout in which all sequences ended early has fewer steps.
std::vector<float> ErrorsOf(const ImagineResult& rolled, uint32_t best, uint32_t steps) {
  if (rolled.expected_error.empty()) return {};
  const auto first = rolled.expected_error.begin() + std::ptrdiff_t{best} * rolled.steps;
  std::vector<float> errors(first, first + rolled.steps);
  errors.resize(steps, errors.back());
  return errors;
}

}  // namespace

absl::StatusOr<PlanResult> ChooseBest(const PlanArgs& args, ImagineResult rolled) {
  PlanResult plan{.steps = args.rollout.steps,
                  .row_status = std::move(rolled.branch_status),
                  .computed_rows = rolled.computed_rows,
                  .sampler_calls = rolled.sampler_calls};
  const bool all_failed = std::none_of(plan.row_status.begin(), plan.row_status.end(),
                                       [](const absl::Status& status) { return status.ok(); });
  if (all_failed) return plan.row_status.front();
  for (size_t k = 0; k < plan.row_status.size(); ++k) {
    double sum = 0, weight = 1;
    bool terminated = false, success = false;
    for (size_t t = k * rolled.steps; t < (k + 1) * rolled.steps; ++t) {
      sum += weight * static_cast<double>(rolled.reward[t]);
      weight *= args.discount;
      terminated = terminated || rolled.terminated[t] != 0;
      success = success || rolled.success[t] != 0;
    }
    const bool ok = plan.row_status[k].ok();
    plan.returns.push_back(ok ? static_cast<float>(sum) : -std::numeric_limits<float>::infinity());
    plan.terminated.push_back(terminated);
    plan.success.push_back(success);
  }
  const auto best = std::max_element(plan.returns.begin(), plan.returns.end());
  plan.best = static_cast<uint32_t>(best - plan.returns.begin());
  plan.expected_error = ErrorsOf(rolled, plan.best, plan.steps);
  const size_t length = args.rollout.actions.size() / plan.returns.size();
  plan.best_actions = args.rollout.actions.subspan(plan.best * length, length);
  return plan;
}

}  // namespace gwm::server
