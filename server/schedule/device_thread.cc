#include "server/schedule/device_thread.h"

#include <algorithm>
#include <exception>
#include <future>
#include <utility>

#include "server/schedule/step_batch.h"

namespace gwm::server {

absl::StatusOr<std::unique_ptr<DeviceThread>> DeviceThread::Create(const WorldFactory& factory,
                                                                   DeviceThreadOptions options) {
  std::unique_ptr<DeviceThread> device(new DeviceThread(std::move(options)));
  std::promise<absl::Status> opened;
  device->thread_ = std::thread([&opened, &factory, raw = device.get()] {
    absl::StatusOr<std::unique_ptr<World>> world = absl::InternalError("the factory threw");
    try {
      world = factory();
    } catch (const std::exception& error) {
      world = absl::InternalError(error.what());
    }
    if (!world.ok()) {
      opened.set_value(world.status());
      return;
    }
    raw->world_ = *std::move(world);
    raw->spec_ = raw->world_->spec();
    opened.set_value(absl::OkStatus());
    raw->Loop();
    raw->world_.reset();
  });
  if (absl::Status status = opened.get_future().get(); !status.ok()) return status;
  return device;
}

DeviceThread::DeviceThread(DeviceThreadOptions options)
    : options_(std::move(options)), queue_(options_.max_queue_length, options_.max_batch_rows) {}

DeviceThread::~DeviceThread() {
  Stop();
  if (thread_.joinable()) thread_.join();
}

void DeviceThread::Submit(std::unique_ptr<Work> work, Admission admission) {
  QueueEntry entry{std::move(work), options_.clock->Now()};
  if (absl::Status status = queue_.Push(entry, admission); !status.ok()) entry.work->Refuse(status);
}

void DeviceThread::Stop() {
  for (QueueEntry& entry : queue_.Stop()) {
    entry.work->Refuse(MakeError(absl::StatusCode::kUnavailable, "the server is shutting down",
                                 {.reason = std::string(kDraining)}));
  }
}

void DeviceThread::Loop() {
  while (true) {
    std::vector<QueueEntry> batch = queue_.Take();
    if (batch.empty()) return;
    RunBatch(std::move(batch));
  }
}

void DeviceThread::RefuseDead(std::vector<QueueEntry>& batch, absl::Time now) const {
  std::erase_if(batch, [now](const QueueEntry& entry) {
    const absl::Status alive = entry.work->call().Alive(now, kPhaseQueued);
    if (!alive.ok()) entry.work->Refuse(alive);
    return !alive.ok();
  });
}

void DeviceThread::RunBatch(std::vector<QueueEntry> batch) {
  const absl::Time now = options_.clock->Now();
  RefuseDead(batch, now);
  if (batch.empty()) return;
  BatchReport report;
  for (const QueueEntry& entry : batch) {
    report.queue_waits.push_back(now - entry.enqueued_at);
    const auto* step = dynamic_cast<const StepWork*>(entry.work.get());
    report.step_rows += step == nullptr ? 0 : step->rows();
  }
  try {
    RunAll(batch, report.queue_waits, now);
  } catch (const std::exception& error) {
    for (QueueEntry& entry : batch) entry.work->Refuse(absl::InternalError(error.what()));
  }
  report.busy = options_.clock->Now() - now;
  if (options_.on_batch) options_.on_batch(report);
}

void DeviceThread::RunAll(const std::vector<QueueEntry>& batch,
                          const std::vector<absl::Duration>& waits, absl::Time now) {
  if (batch.size() == 1) {
    batch.front().work->Run(*world_, {.queue = waits.front(), .started = now});
    return;
  }
  std::vector<StepBatchEntry> steps;
  for (size_t i = 0; i < batch.size(); ++i) {
    steps.push_back({dynamic_cast<StepWork*>(batch[i].work.get()), waits[i]});
  }
  RunStepBatch(*world_, steps, now);
}

}  // namespace gwm::server
