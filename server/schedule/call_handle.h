// What the scheduler needs to know of the call behind a piece of work: is anybody still waiting for
// it?
#ifndef GWM_SERVER_SCHEDULE_CALL_HANDLE_H_
#define GWM_SERVER_SCHEDULE_CALL_HANDLE_H_

#include <atomic>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "server/base/error.h"

namespace gwm::server {

inline constexpr std::string_view kPhaseQueued = "QUEUED";
inline constexpr std::string_view kPhaseRunning = "RUNNING";

// Thread-safe. Shared between the RPC, which may see it cancelled at any time, and its work.
class CallHandle {
 public:
  explicit CallHandle(absl::Time deadline) : deadline_(deadline) {}
  virtual ~CallHandle() = default;

  absl::Time deadline() const { return deadline_; }
  bool cancelled() const { return cancelled_.load(std::memory_order_relaxed); }
  void Cancel() { cancelled_.store(true, std::memory_order_relaxed); }

  // DeadlineExceeded or Cancelled, with the phase that the work was in.
  absl::Status Alive(absl::Time now, std::string_view phase) const {
    if (now >= deadline_) {
      return MakeError(absl::StatusCode::kDeadlineExceeded, "the deadline passed",
                       {.reason = std::string(kDeadline), .phase = std::string(phase)});
    }
    if (!cancelled()) return absl::OkStatus();
    return MakeError(absl::StatusCode::kCancelled, "the client cancelled the call",
                     {.reason = std::string(kCancelled), .phase = std::string(phase)});
  }

 private:
  const absl::Time deadline_;
  std::atomic<bool> cancelled_ = false;
};

}  // namespace gwm::server

#endif  // GWM_SERVER_SCHEDULE_CALL_HANDLE_H_
