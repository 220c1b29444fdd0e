// How a server goes out of service: health turns NOT_SERVING, calls are still taken for a while
// (routers learn late), then new ones are refused, and at last what still runs is cancelled.
#ifndef GWM_SERVER_RPC_DRAIN_H_
#define GWM_SERVER_RPC_DRAIN_H_

#include <functional>
#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "server/base/options.h"

namespace gwm::server {

struct DrainPlan {
  absl::Time refuse_at;  // new calls are refused from here on
  absl::Time cancel_at;  // what still runs is cancelled; not before refuse_at
};

// Thread-safe. The plan alone: acting by it is for the program, which owns the waiting.
class Drain {
 public:
  // The first call decides; later ones get the plan as it is.
  // on_begin: called by the first one, once the plan stands and before anybody gets it.
  DrainPlan Begin(absl::Time now, const DrainTimes& times, const std::function<void()>& on_begin)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Absent: in service.
  std::optional<DrainPlan> plan() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  mutable absl::Mutex mutex_;
  std::optional<DrainPlan> plan_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace gwm::server

#endif  // GWM_SERVER_RPC_DRAIN_H_
