// What waits for the device: who is let in, what leaves next, and what leaves together.
#ifndef GWM_SERVER_SCHEDULE_QUEUE_H_
#define GWM_SERVER_SCHEDULE_QUEUE_H_

#include <array>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <unordered_map>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "server/schedule/backlog.h"
#include "server/schedule/cost_table.h"
#include "server/schedule/order.h"
#include "server/schedule/step_progress.h"
#include "server/schedule/work.h"

namespace gwm::server {

struct QueueEntry {
  std::unique_ptr<Work> work;
  absl::Time enqueued_at;
  uint64_t id = 0;          // given by Push
  absl::Duration load;      // what it adds to the backlog
  absl::Duration expected;  // device time of this turn, charged in advance
  // Of a StepWork: rows that it may advance in this turn, and how far it is; null: not begun.
  int turn_rows = 0;
  std::unique_ptr<StepProgress> progress;

  bool is_step() const { return work->demand().stage == Stage::kStep; }
  int rows_left() const {
    return progress == nullptr ? work->demand().rows : progress->rows_left();
  }
};

// Whether work may be turned away. Work that goes on with an admitted call is always taken.
enum class Admission { kIfRoom, kAlways };

struct QueueOptions {
  uint32_t max_length = 1024;
  // Time to wait that new work is let in with; infinite: any.
  absl::Duration max_queue_time = absl::InfiniteDuration();
  BatchLimits batch;
  OrderOptions order;
};

// Thread-safe; one thread takes.
class WorkQueue {
 public:
  explicit WorkQueue(QueueOptions options)
      : options_(options), order_(options.order), backlog_(options.batch.max_quantum) {}

  // On success takes the entry. Once stopped: why. New work gets
  // ResourceExhausted / OVERLOADED, with the time to wait, when the queue is full, when more than
  // max_queue_time of work goes before it (or four times what it takes itself), or when it would be
  // done only after its deadline; but not while the device has nothing to do.
  absl::Status Push(QueueEntry& entry, Admission admission = Admission::kIfRoom)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Waits for work and takes the next one (order.h). If that is a StepWork, as many of its rows as
  // make one quantum, and rows of the StepWorks after it, as long as a row gets no dearer by it
  // (batch_size.h). What was taken is running until Finish or Return. Empty once stopped.
  std::vector<QueueEntry> Take() ABSL_LOCKS_EXCLUDED(mutex_);
  // After each Take, for each entry, one of the two. It is done, and took so much of the device:
  void Finish(const QueueEntry& entry, absl::Duration device_time) ABSL_LOCKS_EXCLUDED(mutex_);
  // It has more to do. On success takes the entry. Once stopped: why.
  absl::Status Return(QueueEntry& entry, absl::Duration device_time) ABSL_LOCKS_EXCLUDED(mutex_);

  // What is waiting and is not waited for any more.
  std::vector<QueueEntry> RemoveDead(absl::Time now) ABSL_LOCKS_EXCLUDED(mutex_);
  // Take returns at once from now on, and what comes gets `why`, the first one if there are
  // several. Returns what was waiting.
  std::vector<QueueEntry> Stop(const absl::Status& why) ABSL_LOCKS_EXCLUDED(mutex_);

  // A measurement for the cost table of a world (Work::group), and what the table makes of it.
  void Learn(const void* world, Stage stage, int rows, absl::Duration cost)
      ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Duration Predict(const void* world, Stage stage, int rows) ABSL_LOCKS_EXCLUDED(mutex_);
  // The world is gone.
  void Forget(const void* world) ABSL_LOCKS_EXCLUDED(mutex_);

  // OrderOptions::training_share from now on.
  void SetTrainingShare(double share) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    order_.SetTrainingShare(share);
  }

  size_t length() const ABSL_LOCKS_EXCLUDED(mutex_);
  // Works and device time of a class that are waiting or running.
  struct ClassBacklog {
    int works = 0;
    absl::Duration device_time;
  };
  std::array<ClassBacklog, kWorkClasses> ByClass() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  bool Ready() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return !stopped_.ok() || order_.waiting() > 0;
  }
  // The device time of the turn, in place of what was expected of it.
  void Settle(const QueueEntry& entry, absl::Duration device_time)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status Admit(const Work& work, absl::Duration own, absl::Time now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  QueueEntry Start(uint64_t id, int rows, absl::Duration expected)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  BatchLimits LimitsOfQuantum(const Work& work) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void TakeCompanions(const BatchLimits& limits, std::vector<QueueEntry>& batch)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Takes a waiting entry out of the books.
  QueueEntry Drop(uint64_t id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const QueueOptions options_;
  mutable absl::Mutex mutex_;
  WorkOrder order_ ABSL_GUARDED_BY(mutex_);
  Backlog backlog_ ABSL_GUARDED_BY(mutex_);
  std::map<const void*, CostTable> costs_ ABSL_GUARDED_BY(mutex_);  // by world
  std::unordered_map<uint64_t, QueueEntry> waiting_ ABSL_GUARDED_BY(mutex_);
  uint64_t last_id_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t quanta_since_interactive_ ABSL_GUARDED_BY(mutex_) = std::numeric_limits<int32_t>::max();
  absl::Status stopped_ ABSL_GUARDED_BY(mutex_);  // OK: it goes on
};

}  // namespace gwm::server

#endif  // GWM_SERVER_SCHEDULE_QUEUE_H_
