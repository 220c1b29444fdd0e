#include "server/schedule/executor.h"

#include <exception>
#include <utility>

namespace gwm::server {
namespace {

constexpr absl::Duration kSweepPeriod = absl::Milliseconds(2);

// Whether anybody waits for the work; if not, why.
absl::Status Alive(const QueueEntry& entry, absl::Time now) {
  const bool begun = entry.progress != nullptr;
  return entry.work->call().Alive(now, begun ? kPhaseRunning : kPhaseQueued);
}

}  // namespace

void Executor::RefuseDead(std::vector<QueueEntry>& batch, absl::Time now) {
  std::erase_if(batch, [&](QueueEntry& entry) {
    const absl::Status alive = Alive(entry, now);
    if (alive.ok()) return false;
    entry.progress.reset();
    entry.work->Refuse(alive);
    queue_.Finish(entry, absl::ZeroDuration());
    return true;
  });
}

void Executor::SweepQueue(absl::Time now) {
  if (now - swept_at_ < kSweepPeriod) return;
  swept_at_ = now;
  for (QueueEntry& entry : queue_.RemoveDead(now)) {
    const absl::Status alive = Alive(entry, now);
    entry.progress.reset();
    entry.work->Refuse(alive);
  }
}

void Executor::RunQuantum(std::vector<QueueEntry> batch) {
  const absl::Time now = clock_.Now();
  RefuseDead(batch, now);
  SweepQueue(now);
  if (batch.empty()) return;
  BatchReport report{.work_class = batch.front().work->call().work_class()};
  for (const QueueEntry& entry : batch) {
    if (entry.progress == nullptr) report.queue_waits.push_back(now - entry.enqueued_at);
  }
  heartbeat_.Begin(now, Expected(batch));
  if (batch.front().is_step()) {
    RunSteps(batch, report);
  } else {
    RunSolo(batch.front(), report);
  }
  const absl::Time end = clock_.Now();
  heartbeat_.End();
  if (std::exchange(meter_.advanced, false)) heartbeat_.Prove(end);
  report.busy = end - now;
  report.out_of_memory = std::exchange(meter_.out_of_memory, 0);
  if (on_batch_) on_batch_(report);
}

absl::Duration Executor::Expected(const std::vector<QueueEntry>& batch) {
  const Work& first = *batch.front().work;
  // Opening a world, say, takes as long as it takes.
  if (first.world() == nullptr) return absl::InfiniteDuration();
  if (first.demand().stage == Stage::kOther) return absl::ZeroDuration();
  if (!batch.front().is_step()) {
    return queue_.Predict(first.group(), first.demand().stage, first.demand().rows);
  }
  int rows = 0;
  absl::Duration shows;
  for (const QueueEntry& entry : batch) {
    rows += entry.turn_rows;
    const int shown = entry.work->demand().shown;
    if (shown > 0) shows += queue_.Predict(first.group(), Stage::kShow, shown);
  }
  return queue_.Predict(first.group(), Stage::kStep, rows) + shows;
}

void Executor::RunSolo(QueueEntry& entry, BatchReport& report) {
  const absl::Time now = clock_.Now();
  auto& work = static_cast<SoloWork&>(*entry.work);
  meter_.ledger = &work.latency();
  meter_.Mark(LatencyStage::kQueue);
  try {
    work.Start({.started = now});
  } catch (const std::exception& error) {
    work.Refuse(absl::InternalError(error.what()));
  } catch (...) {
    work.Refuse(absl::InternalError("an exception of unknown type"));
  }
  meter_.ledger = nullptr;
  const Demand& demand = work.demand();
  report.stage = demand.stage;
  report.rows = demand.rows;
  report.stage_time = clock_.Now() - now;
  // What is no stage of its own has no cost of its own.
  if (demand.stage != Stage::kOther) {
    report.expected = queue_.Predict(work.group(), demand.stage, demand.rows);
  }
  queue_.Learn(work.group(), demand.stage, demand.rows, report.stage_time);
  queue_.Finish(entry, report.stage_time);
}

void Executor::RunSteps(std::vector<QueueEntry>& batch, BatchReport& report) {
  std::vector<StepTurn> turns;
  for (QueueEntry& entry : batch) {
    turns.push_back({.work = static_cast<StepWork*>(entry.work.get()),
                     .progress = &entry.progress,
                     .rows = entry.turn_rows});
  }
  const WorldHandle handle = batch.front().work->world();  // a quantum is of one world
  const void* world = handle.get();
  const QuantumReport quantum = RunStepQuantum(handle->world(), turns, meter_);
  report.stage = Stage::kStep;
  report.rows = quantum.rows;
  report.stage_time = quantum.call_time;
  if (quantum.rows > 0) report.expected = queue_.Predict(world, Stage::kStep, quantum.rows);
  if (quantum.rows > 0 && quantum.whole) {
    queue_.Learn(world, Stage::kStep, quantum.rows, quantum.call_time);
  }
  for (size_t i = 0; i < batch.size(); ++i) {
    const int shown = batch[i].work->demand().shown;
    if (turns[i].over) {
      const bool showed = shown > 0 && turns[i].show_time > absl::ZeroDuration();
      if (showed) queue_.Learn(world, Stage::kShow, shown, turns[i].show_time);
      queue_.Finish(batch[i], turns[i].device_time);
    } else if (absl::Status status = queue_.Return(batch[i], turns[i].device_time); !status.ok()) {
      batch[i].progress.reset();
      batch[i].work->Refuse(status);
    }
  }
}

}  // namespace gwm::server
