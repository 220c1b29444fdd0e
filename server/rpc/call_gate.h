// The door that all calls come through: counted while they run, refused once it is closed.
#ifndef GWM_SERVER_RPC_CALL_GATE_H_
#define GWM_SERVER_RPC_CALL_GATE_H_

#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace gwm::server {

// Thread-safe.
class CallGate {
 public:
  // Counts a call, which must Leave. False: it comes too late and is to be refused.
  [[nodiscard]] bool Enter() ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    ++inside_;
    return !closed_;
  }
  void Leave() ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    --inside_;
  }
  void Close() ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    closed_ = true;
  }
  // Whether every call left within `timeout`.
  bool AwaitEmpty(absl::Duration timeout) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    return mutex_.AwaitWithTimeout(absl::Condition(this, &CallGate::Empty), timeout);
  }

 private:
  bool Empty() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return inside_ == 0; }

  absl::Mutex mutex_;
  int64_t inside_ ABSL_GUARDED_BY(mutex_) = 0;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace gwm::server

#endif  // GWM_SERVER_RPC_CALL_GATE_H_
