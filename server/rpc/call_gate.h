// The door that all calls come through: counted while they run, refused once it is closed.
#ifndef GWM_SERVER_RPC_CALL_GATE_H_
#define GWM_SERVER_RPC_CALL_GATE_H_

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace gwm::server {

// Thread-safe.
class CallGate {
 public:
  // Counts a call, which must Leave. False: it comes too late and is to be refused.
  [[nodiscard]] bool Enter() ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    ++inside_;
    ++entered_;
    return !closed_;
  }
  void Leave() ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    --inside_;
  }
  void Close() ABSL_LOCKS_EXCLUDED(mutex_) {
    std::map<uint64_t, std::function<void()>> told;
    {
      absl::MutexLock lock(&mutex_);
      closed_ = true;
      told.swap(on_close_);
    }
    for (const auto& [id, tell] : told) tell();
  }
  // Runs `tell` once, when the gate closes; at once if it is closed. For calls that would never end
  // by themselves. Returns a number for Forget.
  uint64_t OnClose(std::function<void()> tell) ABSL_LOCKS_EXCLUDED(mutex_) {
    {
      absl::MutexLock lock(&mutex_);
      if (!closed_) {
        on_close_.emplace(++last_id_, std::move(tell));
        return last_id_;
      }
    }
    tell();
    return 0;
  }
  void Forget(uint64_t id) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    on_close_.erase(id);
  }
  // Waits until every call has left and none came for `quiet`, at most `timeout`. Returns whether
  // every call left. The quiet time is for callers that are told to go away only by their next
  // call.
  bool AwaitQuiet(absl::Duration quiet, absl::Duration timeout) ABSL_LOCKS_EXCLUDED(mutex_) {
    const absl::Time until = absl::Now() + timeout;
    absl::MutexLock lock(&mutex_);
    while (mutex_.AwaitWithDeadline(absl::Condition(this, &CallGate::Empty), until)) {
      seen_ = entered_;
      const absl::Time quiet_until = std::min(until, absl::Now() + quiet);
      if (!mutex_.AwaitWithDeadline(absl::Condition(this, &CallGate::Newcomer), quiet_until)) {
        return true;
      }
    }
    return false;
  }

 private:
  bool Empty() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return inside_ == 0; }
  bool Newcomer() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return entered_ != seen_; }

  absl::Mutex mutex_;
  int64_t inside_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t entered_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t seen_ ABSL_GUARDED_BY(mutex_) = 0;  // entered_ when the waiter looked last
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  uint64_t last_id_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<uint64_t, std::function<void()>> on_close_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace gwm::server

#endif  // GWM_SERVER_RPC_CALL_GATE_H_
