// A gate that a test closes to hold a thread at a known place.
#ifndef GWM_TESTS_FAKES_GATE_H_
#define GWM_TESTS_FAKES_GATE_H_

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace gwm::fakes {

// Thread-safe. Open at first.
class Gate {
 public:
  void Close() ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    open_ = false;
  }
  void Open() ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    open_ = true;
  }
  // Waits while the gate is closed.
  void Pass() ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    ++waiting_;
    mutex_.Await(absl::Condition(&open_));
    --waiting_;
  }
  // Returns once a thread stands before the closed gate.
  void AwaitWaiter() ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    mutex_.Await(absl::Condition(this, &Gate::Held));
  }

 private:
  bool Held() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return !open_ && waiting_ > 0; }

  absl::Mutex mutex_;
  bool open_ ABSL_GUARDED_BY(mutex_) = true;
  int waiting_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace gwm::fakes

#endif  // GWM_TESTS_FAKES_GATE_H_
