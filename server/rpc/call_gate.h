// The door that all calls come through: counted while they run, refused once it is closed.
#ifndef GWM_SERVER_RPC_CALL_GATE_H_
#define GWM_SERVER_RPC_CALL_GATE_H_

#include <cstdint>
#include <functional>
#include <map>
#include <utility>

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
  uint64_t last_id_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<uint64_t, std::function<void()>> on_close_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace gwm::server

#endif  // GWM_SERVER_RPC_CALL_GATE_H_
