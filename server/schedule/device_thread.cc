#include "server/schedule/device_thread.h"

#include <exception>
#include <future>
#include <utility>

#include "server/schedule/errand.h"
#include "server/schedule/warm_up.h"

namespace gwm::server {

DeviceThread::DeviceThread(DeviceThreadOptions options)
    : options_(std::move(options)), queue_(options_.queue), thread_([this] { Loop(); }) {}

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
  return {new ServedWorld(std::move(world)), destroy};
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
  if (absl::Status status = queue_.Push(entry, admission); !status.ok()) entry.work->Refuse(status);
}

void DeviceThread::Stop() {
  for (QueueEntry& entry : queue_.Stop()) {
    entry.progress.reset();
    entry.work->Refuse(MakeError(absl::StatusCode::kUnavailable, "the server is shutting down",
                                 {.reason = std::string(kDraining)}));
  }
}

void DeviceThread::Loop() {
  Executor executor(&queue_, options_.clock, options_.on_batch);
  while (true) {
    std::vector<QueueEntry> batch = queue_.Take();
    if (batch.empty()) return;
    executor.RunQuantum(std::move(batch));
  }
}

}  // namespace gwm::server
