#include "server/schedule/step_quantum.h"

#include <exception>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "server/base/status.h"

namespace gwm::server {
namespace {

// A row that takes part, and which turn it belongs to.
struct Part {
  StepInProgress* row;
  size_t turn;
};

template <typename Function>
absl::Status Guarded(Function&& function) {
  try {
    return function();
  } catch (const std::exception& error) {
    return absl::InternalError(error.what());
  } catch (...) {
    return absl::InternalError("an exception of unknown type");
  }
}

void Fail(StepTurn& turn, const absl::Status& status) {
  turn.over = true;
  turn.progress->reset();
  turn.work->Refuse(status);
}

// The turn's work has the thread until it lets go. Its ledger is not touched then: once a call is
// answered, another thread may have it.
class Hold {
 public:
  Hold(DeviceMeter& meter, const StepTurn& turn) : meter_(meter) {
    meter_.ledger = &turn.work->latency();
    meter_.Mark(LatencyStage::kQueue);
  }
  ~Hold() { meter_.ledger = nullptr; }
  Hold(const Hold&) = delete;
  Hold& operator=(const Hold&) = delete;

 private:
  DeviceMeter& meter_;
};

absl::Status Begin(World& world, StepTurn& turn, DeviceMeter& meter) {
  const Hold hold(meter, turn);
  return Guarded([&]() -> absl::Status {
    ASSIGN_OR_RETURN(const std::vector<StepRequest> rows, turn.work->Begin());
    turn.over = turn.work->answered();
    if (turn.over) return absl::OkStatus();
    *turn.progress = std::make_unique<StepProgress>();
    // Without a row there is nothing to ask the world for.
    if (rows.empty()) return absl::OkStatus();
    ASSIGN_OR_RETURN((*turn.progress)->rows, world.BeginStep(rows, turn.work->sampler()));
    if ((*turn.progress)->rows.size() == rows.size()) return absl::OkStatus();
    return absl::InternalError("the world began another number of rows");
  });
}

// Which calls failed, turn by turn.
class Advancer {
 public:
  Advancer(World& world, size_t turns) : world_(world), failures_(turns) {}

  void Advance(std::span<const Part> parts) {
    std::vector<StepInProgress*> rows;
    bool one_work = true;
    for (const Part& part : parts) {
      if (failures_[part.turn].ok()) rows.push_back(part.row);
      one_work = one_work && part.turn == parts.front().turn;
    }
    if (rows.empty()) return;
    const absl::Status status = Guarded([&] { return world_.Advance(rows); });
    if (status.ok()) {
      heads_time_ += world_.HeadsTime();
      return;
    }
    whole_ = false;
    // Fewer rows may fit into memory; otherwise halves tell whose fault it is.
    const bool divide = parts.size() > 1 && (!one_work || absl::IsResourceExhausted(status));
    if (!divide) {
      failures_[parts.front().turn] = status;
      return;
    }
    Advance(parts.first(parts.size() / 2));
    Advance(parts.subspan(parts.size() / 2));
  }
  const absl::Status& failure(size_t turn) const { return failures_[turn]; }
  bool whole() const { return whole_; }
  absl::Duration heads_time() const { return heads_time_; }

 private:
  World& world_;
  std::vector<absl::Status> failures_;
  bool whole_ = true;
  absl::Duration heads_time_;
};

void Complete(World& world, StepTurn& turn, DeviceMeter& meter, absl::Time now) {
  const Hold hold(meter, turn);
  StepProgress& progress = **turn.progress;
  const absl::Duration used = progress.device_time + turn.device_time;
  const RunTiming timing{.started = now - used,
                         .batch_rows = progress.batch_rows,
                         .sampler_calls = static_cast<uint32_t>(turn.work->demand().calls)};
  std::vector<StepRow> results = progress.TakeResults();
  turn.over = true;
  const absl::Status status = Guarded([&] {
    turn.work->Complete(world, results, timing);
    return absl::OkStatus();
  });
  if (!status.ok()) turn.work->Refuse(status);
}

// Until here they waited for the beginnings of others.
void MarkWaited(std::span<StepTurn> turns, absl::Time now) {
  for (const StepTurn& turn : turns) {
    if (!turn.over) turn.work->latency().Mark(LatencyStage::kQueue, now);
  }
}

// The heads work for rows that are done; the others only wait for them.
void MarkCall(const StepTurn& turn, absl::Duration heads_time, absl::Time now) {
  const bool done = (*turn.progress)->rows_left() == 0;
  turn.work->latency().Split(LatencyStage::kDynamics, LatencyStage::kReward,
                             done ? heads_time : absl::ZeroDuration(), now);
}

// Begins what has not begun. Returns the rows that take part.
std::vector<Part> Gather(World& world, std::span<StepTurn> turns, DeviceMeter& meter) {
  std::vector<Part> parts;
  for (size_t i = 0; i < turns.size(); ++i) {
    StepTurn& turn = turns[i];
    if (*turn.progress == nullptr) {
      if (absl::Status status = Begin(world, turn, meter); !status.ok()) Fail(turn, status);
    }
    if (turn.over) continue;
    for (StepInProgress* row : (*turn.progress)->Next(turn.rows)) parts.push_back({row, i});
  }
  return parts;
}

}  // namespace

QuantumReport RunStepQuantum(World& world, std::span<StepTurn> turns, DeviceMeter& meter) {
  const Clock& clock = *meter.clock;
  const absl::Time begun_at = clock.Now();
  const std::vector<Part> parts = Gather(world, turns, meter);
  const auto rows = static_cast<int>(parts.size());
  const absl::Time called_at = clock.Now();
  MarkWaited(turns, called_at);
  Advancer advancer(world, turns.size());
  advancer.Advance(parts);
  const absl::Time call_end = clock.Now();
  absl::Time now = call_end;
  const absl::Duration begin_share = (called_at - begun_at) / static_cast<double>(turns.size());
  for (StepTurn& turn : turns) turn.device_time = begin_share;
  for (const Part& part : parts) turns[part.turn].device_time += (now - called_at) / rows;

  QuantumReport report{.rows = rows, .call_time = now - called_at, .whole = advancer.whole()};
  for (size_t i = 0; i < turns.size(); ++i) {
    StepTurn& turn = turns[i];
    if (turn.over) continue;
    if (!advancer.failure(i).ok()) {
      Fail(turn, advancer.failure(i));
      continue;
    }
    StepProgress& progress = **turn.progress;
    MarkCall(turn, advancer.heads_time(), call_end);
    progress.batch_rows = std::max(progress.batch_rows, static_cast<uint32_t>(rows));
    if (progress.rows_left() == 0) {
      Complete(world, turn, meter, now);
      turn.show_time = clock.Now() - now;
      turn.device_time += turn.show_time;
      now += turn.show_time;
    } else {
      progress.device_time += turn.device_time;
    }
  }
  return report;
}

}  // namespace gwm::server
