// Whether the device thread still gets anywhere.
#ifndef GWM_SERVER_SCHEDULE_HEARTBEAT_H_
#define GWM_SERVER_SCHEDULE_HEARTBEAT_H_

#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace gwm::server {

// What the device thread is at.
struct Pulse {
  std::optional<absl::Time> busy_since;         // of the quantum that runs
  absl::Duration expected;                      // what it should take; zero: nobody knows
  absl::Time proved_at = absl::InfinitePast();  // the last denoiser call that succeeded
};

// Thread-safe: the device thread tells, others ask.
class Heartbeat {
 public:
  void Begin(absl::Time now, absl::Duration expected) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    pulse_.busy_since = now;
    pulse_.expected = expected;
  }
  void End() ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    pulse_.busy_since.reset();
  }
  void Prove(absl::Time now) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    pulse_.proved_at = now;
  }
  Pulse pulse() const ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    return pulse_;
  }

 private:
  mutable absl::Mutex mutex_;
  Pulse pulse_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace gwm::server

#endif  // GWM_SERVER_SCHEDULE_HEARTBEAT_H_
