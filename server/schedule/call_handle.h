// What the scheduler needs to know of the call behind a piece of work: how urgent is it, whose is
// it, and is anybody still waiting for it?
#ifndef GWM_SERVER_SCHEDULE_CALL_HANDLE_H_
#define GWM_SERVER_SCHEDULE_CALL_HANDLE_H_

#include <atomic>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "server/base/error.h"
#include "server/base/latency.h"
#include "server/schedule/work_class.h"

namespace gwm::server {

inline constexpr std::string_view kPhaseQueued = "QUEUED";
inline constexpr std::string_view kPhaseRunning = "RUNNING";

// Thread-safe. Shared between the RPC, which may see it cancelled at any time, and its work.
class CallHandle {
 public:
  // client: who shares the device with others; empty: nobody in particular.
  explicit CallHandle(absl::Time deadline, WorkClass work_class = WorkClass::kInteractive,
                      std::string client = "")
      : deadline_(deadline), work_class_(work_class), client_(std::move(client)) {}
  virtual ~CallHandle() = default;

  absl::Time deadline() const { return deadline_; }
  WorkClass work_class() const { return work_class_; }
  const std::string& client() const { return client_; }
  // Whether the client was named, rather than told by its address.
  bool named() const { return named_; }
  // All three: before the first work of the call is submitted, by the thread that submits it.
  void SetClient(std::string client) {
    client_ = std::move(client);
    named_ = true;
  }
  void SetPriority(Priority priority) { work_class_ = Prioritised(work_class_, priority); }

  // Not thread-safe: of the thread that has the call in its hands.
  LatencyLedger& latency() { return latency_; }

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
  WorkClass work_class_;
  std::string client_;
  bool named_ = false;
  std::atomic<bool> cancelled_ = false;
  LatencyLedger latency_;
};

}  // namespace gwm::server

#endif  // GWM_SERVER_SCHEDULE_CALL_HANDLE_H_
