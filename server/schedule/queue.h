// The inbox of the device thread: first come, first served, and steps that wait together leave
// together.
#ifndef GWM_SERVER_SCHEDULE_QUEUE_H_
#define GWM_SERVER_SCHEDULE_QUEUE_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "server/schedule/work.h"

namespace gwm::server {

struct QueueEntry {
  std::unique_ptr<Work> work;
  absl::Time enqueued_at;
};

// Whether work may find the queue full. Work that goes on with an admitted call is always taken.
enum class Admission { kIfRoom, kAlways };

// Thread-safe.
class WorkQueue {
 public:
  WorkQueue(uint32_t max_length, uint32_t max_batch_rows)
      : max_length_(max_length), max_batch_rows_(max_batch_rows) {}

  // On success takes the entry. ResourceExhausted / OVERLOADED when full, Unavailable / DRAINING
  // once stopped.
  absl::Status Push(QueueEntry& entry, Admission admission = Admission::kIfRoom)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Waits for work and takes the oldest. If that is a StepWork, also every later StepWork with the
  // same number of sampler calls that may run with it: within max_batch_rows, and past no other
  // work of its owner. Empty once stopped.
  std::vector<QueueEntry> Take() ABSL_LOCKS_EXCLUDED(mutex_);

  // Take returns at once from now on. Returns what was waiting.
  std::vector<QueueEntry> Stop() ABSL_LOCKS_EXCLUDED(mutex_);

  size_t length() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  bool Ready() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return stopped_ || !entries_.empty(); }
  void TakeCompanions(std::vector<QueueEntry>& batch) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const uint32_t max_length_;
  const uint32_t max_batch_rows_;
  mutable absl::Mutex mutex_;
  std::deque<QueueEntry> entries_ ABSL_GUARDED_BY(mutex_);
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace gwm::server

#endif  // GWM_SERVER_SCHEDULE_QUEUE_H_
