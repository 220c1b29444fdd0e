#include "clients/rl/mixed_replay.h"

#include <cmath>

#include "clients/rl/checks.h"

namespace gwm::rl {

int64_t RealRows(int64_t rows, double real_ratio) {
  // Without the margin 0.29 * 100 would lose a row to rounding.
  constexpr double kMargin = 1e-9;
  return static_cast<int64_t>(std::floor(static_cast<double>(rows) * real_ratio + kMargin));
}

absl::StatusOr<Batch> SampleMixed(const Replay& real, const Replay& imagined, double real_ratio,
                                  int64_t rows, uint64_t counter) {
  if (!(real_ratio >= 0 && real_ratio <= 1)) {
    return absl::InvalidArgumentError("real_ratio must be in [0, 1]");
  }
  const int64_t real_rows = imagined.transitions() == 0 ? rows : RealRows(rows, real_ratio);
  if (real_rows == rows) return real.Sample(rows, counter);
  absl::StatusOr<Batch> second = imagined.Sample(rows - real_rows, counter);
  if (!second.ok() || real_rows == 0) return second;
  const absl::StatusOr<Batch> first = real.Sample(real_rows, counter);
  if (!first.ok()) return first;
  if (first->observation.sizes().slice(1) != second->observation.sizes().slice(1) ||
      first->action.size(1) != second->action.size(1)) {
    return absl::InvalidArgumentError("the replays hold observations or actions of other shapes");
  }
  return WithoutThrowing("SampleMixed", [&]() -> absl::StatusOr<Batch> {
    return Batch{torch::cat({first->observation, second->observation}),
                 torch::cat({first->action, second->action}),
                 torch::cat({first->reward, second->reward}),
                 torch::cat({first->discount, second->discount}),
                 torch::cat({first->next_observation, second->next_observation})};
  });
}

}  // namespace gwm::rl
