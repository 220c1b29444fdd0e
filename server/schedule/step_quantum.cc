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

absl::Status Begin(World& world, StepTurn& turn) {
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
    if (status.ok()) return;
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

 private:
  World& world_;
  std::vector<absl::Status> failures_;
  bool whole_ = true;
};

void Complete(World& world, StepTurn& turn, absl::Time now) {
  StepProgress& progress = **turn.progress;
  const absl::Duration used = progress.device_time + turn.device_time;
  const RunTiming timing{.queue = now - turn.enqueued_at - used,
                         .started = now - used,
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

// Begins what has not begun. Returns the rows that take part.
std::vector<Part> Gather(World& world, std::span<StepTurn> turns) {
  std::vector<Part> parts;
  for (size_t i = 0; i < turns.size(); ++i) {
    StepTurn& turn = turns[i];
    if (*turn.progress == nullptr) {
      if (absl::Status status = Begin(world, turn); !status.ok()) Fail(turn, status);
    }
    if (turn.over) continue;
    for (StepInProgress* row : (*turn.progress)->Next(turn.rows)) parts.push_back({row, i});
  }
  return parts;
}

}  // namespace

QuantumReport RunStepQuantum(World& world, std::span<StepTurn> turns, const Clock& clock) {
  const absl::Time begun_at = clock.Now();
  const std::vector<Part> parts = Gather(world, turns);
  const auto rows = static_cast<int>(parts.size());
  const absl::Time called_at = clock.Now();
  Advancer advancer(world, turns.size());
  advancer.Advance(parts);
  absl::Time now = clock.Now();
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
    progress.batch_rows = std::max(progress.batch_rows, static_cast<uint32_t>(rows));
    if (progress.rows_left() == 0) {
      Complete(world, turn, now);
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
