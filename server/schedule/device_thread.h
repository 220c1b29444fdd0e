// The one thread that owns the world and the order of everything it does.
#ifndef GWM_SERVER_SCHEDULE_DEVICE_THREAD_H_
#define GWM_SERVER_SCHEDULE_DEVICE_THREAD_H_

#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/api/world.h"
#include "server/base/clock.h"
#include "server/schedule/queue.h"

namespace gwm::server {

using WorldFactory = std::function<absl::StatusOr<std::unique_ptr<World>>()>;

// One turn of the device.
struct BatchReport {
  std::vector<absl::Duration> queue_waits;  // of each work
  int64_t step_rows = 0;                    // rows of the dynamics step; 0 for other work
  absl::Duration busy;
};

struct DeviceThreadOptions {
  uint32_t max_queue_length = 1024;
  uint32_t max_batch_rows = 64;
  const Clock* clock = nullptr;  // outlives the thread
  // Called on the device thread after each batch; optional.
  std::function<void(const BatchReport&)> on_batch;
};

// Thread-safe. The world is made, used and destroyed on this thread alone.
class DeviceThread {
 public:
  // Waits until the world is there; the factory's error otherwise.
  static absl::StatusOr<std::unique_ptr<DeviceThread>> Create(const WorldFactory& factory,
                                                              DeviceThreadOptions options);
  // Refuses what waits, finishes what runs. Every WorldState must be gone before.
  ~DeviceThread();

  // Of the world; constant.
  const WorldSpec& spec() const { return spec_; }

  // Hands the work over. When it cannot be taken it is refused at once, on the calling thread.
  void Submit(std::unique_ptr<Work> work, Admission admission = Admission::kIfRoom);
  // Refuses what waits and everything that comes. Idempotent.
  void Stop();

  size_t queue_length() const { return queue_.length(); }

 private:
  explicit DeviceThread(DeviceThreadOptions options);
  void Loop();
  void RunBatch(std::vector<QueueEntry> batch);
  // One work of any kind, or several StepWorks.
  void RunAll(const std::vector<QueueEntry>& batch, const std::vector<absl::Duration>& waits,
              absl::Time now);
  // Drops the entries that nobody waits for any more.
  void RefuseDead(std::vector<QueueEntry>& batch, absl::Time now) const;

  const DeviceThreadOptions options_;
  WorkQueue queue_;
  WorldSpec spec_;
  std::unique_ptr<World> world_;  // device thread only
  std::thread thread_;
};

}  // namespace gwm::server

#endif  // GWM_SERVER_SCHEDULE_DEVICE_THREAD_H_
