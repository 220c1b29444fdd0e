#include "server/schedule/device_thread.h"

#include <exception>
#include <future>
#include <utility>

#include "server/schedule/errand.h"
#include "server/schedule/warm_up.h"

namespace gwm::server {

DeviceThread::DeviceThread(DeviceThreadOptions options)
    : options_(std::move(options)),
      queue_(options_.queue),
      meter_{.clock = options_.clock},
      thread_([this] { Loop(); }) {}

DeviceThread::~DeviceThread() {
  Stop();
  if (thread_.joinable()) thread_.join();
}

absl::StatusOr<std::unique_ptr<World>> DeviceThread::Open(const WorldFactory& factory) {
  std::promise<absl::StatusOr<std::unique_ptr<World>>> opened;
  const auto open = [&] {
    try {
      opened.set_value(factory());
    } catch (const std::exception& error) {
      opened.set_value(absl::InternalError(error.what()));
    }
  };
  Submit(std::make_unique<Errand>(this, open), Admission::kAlways);
  return opened.get_future().get();
}

WorldHandle DeviceThread::Adopt(std::unique_ptr<World> world, std::function<void()> on_gone) {
  const auto destroy = [this, on_gone](const ServedWorld* served) {
    Submit(std::make_unique<Errand>(this,
                                    [this, served, on_gone] {
                                      queue_.Forget(served);
                                      delete served;
                                      if (on_gone) on_gone();
                                    }),
           Admission::kAlways);
  };
  return {new ServedWorld(std::make_unique<MeteredWorld>(std::move(world), &meter_)), destroy};
}

absl::Status DeviceThread::Profile(const WorldHandle& world) {
  std::promise<absl::Status> profiled;
  const auto profile = [&] {
    try {
      profiled.set_value(WarmUp(world->world(),
                                {.time_limit = options_.warm_up_time,
                                 .max_rows = options_.queue.batch.max_rows,
                                 .clock = options_.clock},
                                [&](Stage stage, int rows, absl::Duration cost) {
                                  queue_.Learn(world.get(), stage, rows, cost);
                                }));
    } catch (const std::exception& error) {
      profiled.set_value(absl::InternalError(error.what()));
    }
  };
  Submit(std::make_unique<Errand>(this, profile), Admission::kAlways);
  return profiled.get_future().get();
}

void DeviceThread::Submit(std::unique_ptr<Work> work, Admission admission) {
  QueueEntry entry{.work = std::move(work), .enqueued_at = options_.clock->Now()};
  entry.work->latency().Enqueue(entry.enqueued_at);
  if (absl::Status status = queue_.Push(entry, admission); !status.ok()) entry.work->Refuse(status);
}

void DeviceThread::Stop() { StopFor(DrainingError()); }

void DeviceThread::Abandon() { StopFor(DeviceLostError()); }

void DeviceThread::StopFor(const absl::Status& why) {
  for (QueueEntry& entry : queue_.Stop(why)) {
    entry.progress.reset();
    entry.work->Refuse(why);
  }
}

void DeviceThread::Loop() {
  Executor executor(&queue_, &meter_, &heartbeat_, options_.on_batch);
  while (true) {
    std::vector<QueueEntry> batch = queue_.Take();
    if (batch.empty()) return;
    executor.RunQuantum(std::move(batch));
    if (meter_.lost.ok()) continue;
    if (options_.on_lost) options_.on_lost(meter_.lost);
    Abandon();
    return;
  }
}

}  // namespace gwm::server
