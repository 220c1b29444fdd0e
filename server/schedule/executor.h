// Runs what the queue gives out, quantum by quantum, each on the world of its works.
#ifndef GWM_SERVER_SCHEDULE_EXECUTOR_H_
#define GWM_SERVER_SCHEDULE_EXECUTOR_H_

#include <functional>
#include <vector>

#include "absl/time/time.h"
#include "engine/api/world.h"
#include "server/base/clock.h"
#include "server/schedule/heartbeat.h"
#include "server/schedule/metered_world.h"
#include "server/schedule/queue.h"
#include "server/schedule/step_quantum.h"

namespace gwm::server {

// One quantum of the device.
struct BatchReport {
  std::vector<absl::Duration> queue_waits;  // of each work that began in it
  absl::Duration busy;                      // everything in the quantum
  Stage stage = Stage::kOther;
  WorkClass work_class = WorkClass::kInteractive;  // of the work that the quantum was formed for
  int rows = 0;                                    // of the stage
  int padding_rows = 0;                            // computed for nobody
  absl::Duration stage_time;                       // of the denoiser call, or of the other work
  absl::Duration expected;  // what the cost table said of stage_time; zero: it knew nothing
  int out_of_memory = 0;    // calls of the world that did not fit into memory
};

// Device thread.
class Executor {
 public:
  using OnBatch = std::function<void(const BatchReport&)>;

  // All borrowed; they outlive the executor. meter: that of the worlds. on_batch: called after each
  // quantum; may be null.
  Executor(WorkQueue* queue, DeviceMeter* meter, Heartbeat* heartbeat, OnBatch on_batch)
      : queue_(*queue),
        meter_(*meter),
        heartbeat_(*heartbeat),
        clock_(*meter->clock),
        on_batch_(std::move(on_batch)) {}

  // What WorkQueue::Take gave. Answers or refuses each, or gives it back to the queue.
  void RunQuantum(std::vector<QueueEntry> batch);

 private:
  // Of the whole quantum; zero: nobody knows.
  absl::Duration Expected(const std::vector<QueueEntry>& batch);
  void RunSolo(QueueEntry& entry, BatchReport& report);
  void RunSteps(std::vector<QueueEntry>& batch, BatchReport& report);
  // Refuses those of the batch that nobody waits for any more.
  void RefuseDead(std::vector<QueueEntry>& batch, absl::Time now);
  // The same of everything that waits; now and then.
  void SweepQueue(absl::Time now);

  WorkQueue& queue_;
  DeviceMeter& meter_;
  Heartbeat& heartbeat_;
  const Clock& clock_;
  const OnBatch on_batch_;
  absl::Time swept_at_;
};

}  // namespace gwm::server

#endif  // GWM_SERVER_SCHEDULE_EXECUTOR_H_
