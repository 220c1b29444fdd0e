// The one thread that uses the worlds, and the order of everything that it does.
#ifndef GWM_SERVER_SCHEDULE_DEVICE_THREAD_H_
#define GWM_SERVER_SCHEDULE_DEVICE_THREAD_H_

#include <array>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/api/world.h"
#include "server/base/clock.h"
#include "server/schedule/executor.h"
#include "server/schedule/queue.h"

namespace gwm::server {

using WorldFactory = std::function<absl::StatusOr<std::unique_ptr<World>>()>;

struct DeviceThreadOptions {
  QueueOptions queue;
  // To measure costs for before the first work; see warm_up.h.
  absl::Duration warm_up_time;
  const Clock* clock = nullptr;  // outlives the thread
  // Called on the device thread after each quantum; optional.
  std::function<void(const BatchReport&)> on_batch;
  // Called once, on the device thread, when a world says that the device is lost; optional.
  std::function<void(const absl::Status&)> on_lost;
};

// Thread-safe. Worlds are used and destroyed on this thread alone.
class DeviceThread {
 public:
  explicit DeviceThread(DeviceThreadOptions options);
  // Refuses what waits, finishes what runs. Every handle of a world must be dropped before.
  ~DeviceThread();

  // Makes a world on this thread; waits for it. The factory's error otherwise.
  absl::StatusOr<std::unique_ptr<World>> Open(const WorldFactory& factory);
  // Takes a world over, from whichever thread made it. When the last handle is dropped, on any
  // thread, the world goes on this one, and `on_gone` is called after that.
  WorldHandle Adopt(std::unique_ptr<World> world, std::function<void()> on_gone = nullptr);
  // Measures what the world's steps, resets and images cost, within warm_up_time; waits for it. The
  // world's error, if it has one.
  absl::Status Profile(const WorldHandle& world);

  // Hands the work over. When it cannot be taken it is refused at once, on the calling thread.
  void Submit(std::unique_ptr<Work> work, Admission admission = Admission::kIfRoom);
  // Refuses what waits and everything that comes: Unavailable / DRAINING. Idempotent.
  void Stop();
  // The same with Unavailable / DEVICE_LOST. What runs is left to itself.
  void Abandon();
  Pulse pulse() const { return heartbeat_.pulse(); }

  // The least share of the device that training gets while it waits, 0..1.
  void SetTrainingShare(double share) { queue_.SetTrainingShare(share); }
  size_t queue_length() const { return queue_.length(); }
  const Clock& clock() const { return *options_.clock; }
  std::array<WorkQueue::ClassBacklog, kWorkClasses> backlog() const { return queue_.ByClass(); }

 private:
  void Loop();
  void StopFor(const absl::Status& why);

  const DeviceThreadOptions options_;
  WorkQueue queue_;
  DeviceMeter meter_;  // device thread
  Heartbeat heartbeat_;
  std::thread thread_;
};

}  // namespace gwm::server

#endif  // GWM_SERVER_SCHEDULE_DEVICE_THREAD_H_
