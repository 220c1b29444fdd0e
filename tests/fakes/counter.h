// A count that a test can wait for.
#ifndef GWM_TESTS_FAKES_COUNTER_H_
#define GWM_TESTS_FAKES_COUNTER_H_

#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace gwm::fakes {

// Thread-safe.
class Counter {
 public:
  void Add(int64_t more) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    value_ += more;
  }
  int64_t value() const ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    return value_;
  }
  void AwaitAtLeast(int64_t value) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    const auto reached = [this, value]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return value_ >= value; };
    mutex_.Await(absl::Condition(&reached));
  }

 private:
  mutable absl::Mutex mutex_;
  int64_t value_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace gwm::fakes

#endif  // GWM_TESTS_FAKES_COUNTER_H_
