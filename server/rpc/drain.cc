#include "server/rpc/drain.h"

#include <algorithm>

namespace gwm::server {

DrainPlan Drain::Begin(absl::Time now, const DrainTimes& times,
                       const std::function<void()>& on_begin) {
  absl::MutexLock lock(&mutex_);
  if (!plan_.has_value()) {
    plan_ = {.refuse_at = now + times.lame_duck,
             .cancel_at = now + std::max(times.timeout, times.lame_duck)};
    on_begin();
  }
  return *plan_;
}

std::optional<DrainPlan> Drain::plan() const {
  absl::MutexLock lock(&mutex_);
  return plan_;
}

}  // namespace gwm::server
