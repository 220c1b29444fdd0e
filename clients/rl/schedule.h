// A number that changes with the steps of a run, such as the standard deviation of exploration.
#ifndef GWM_CLIENTS_RL_SCHEDULE_H_
#define GWM_CLIENTS_RL_SCHEDULE_H_

#include <cstdint>
#include <string_view>

#include "absl/status/statusor.h"

namespace gwm::rl {

// Constant, or linear from `first` at step 0 to `last` at step `duration_steps` and constant after
// it (facebookresearch/drqv2 utils.py).
class Schedule {
 public:
  explicit Schedule(double constant) : Schedule(constant, constant, 1) {}
  // Requires duration_steps >= 1.
  Schedule(double first, double last, int64_t duration_steps)
      : first_(first), last_(last), duration_steps_(duration_steps) {}

  // "0.2" or "linear(1.0,0.1,100000)". InvalidArgument for anything else.
  static absl::StatusOr<Schedule> Parse(std::string_view text);

  // The value at a step >= 0.
  double At(int64_t step) const;

 private:
  double first_;
  double last_;
  int64_t duration_steps_;
};

}  // namespace gwm::rl

#endif  // GWM_CLIENTS_RL_SCHEDULE_H_
