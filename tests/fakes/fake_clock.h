// A clock that moves only when told.
#ifndef GWM_TESTS_FAKES_FAKE_CLOCK_H_
#define GWM_TESTS_FAKES_FAKE_CLOCK_H_

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "server/base/clock.h"

namespace gwm::fakes {

// Thread-safe. Starts at the real time, so that deadlines that gRPC made mean what they say.
class FakeClock : public server::Clock {
 public:
  absl::Time Now() const override ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    return now_;
  }
  void Advance(absl::Duration duration) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    now_ += duration;
  }

 private:
  mutable absl::Mutex mutex_;
  absl::Time now_ ABSL_GUARDED_BY(mutex_) = absl::Now();
};

}  // namespace gwm::fakes

#endif  // GWM_TESTS_FAKES_FAKE_CLOCK_H_
