#include "server/schedule/step_batch.h"

#include <exception>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"

namespace gwm::server {
namespace {

struct Begun {
  StepBatchEntry entry;
  size_t rows = 0;
};

// Collects the rows of the works that can start; refuses the others.
std::vector<Begun> BeginAll(const std::vector<StepBatchEntry>& entries,
                            std::vector<StepRequest>& rows) {
  std::vector<Begun> begun;
  for (const StepBatchEntry& entry : entries) {
    auto own = entry.work->Begin();
    if (!own.ok()) {
      entry.work->Refuse(own.status());
      continue;
    }
    if (entry.work->answered()) continue;
    begun.push_back({entry, own->size()});
    std::move(own->begin(), own->end(), std::back_inserter(rows));
  }
  return begun;
}

void CompleteOne(World& world, const Begun& begun, std::span<StepRow> results, size_t batch_rows,
                 absl::Time now) {
  StepWork& work = *begun.entry.work;
  const RunTiming timing{.queue = begun.entry.queue,
                         .started = now,
                         .batch_rows = static_cast<uint32_t>(batch_rows),
                         .sampler_calls = static_cast<uint32_t>(work.sampler_calls())};
  try {
    work.Complete(world, results, timing);
  } catch (const std::exception& error) {
    work.Refuse(absl::InternalError(error.what()));
  }
}

}  // namespace

void StepWork::Run(World& world, const RunTiming& timing) {
  RunStepBatch(world, {{this, timing.queue}}, timing.started);
}

void RunStepBatch(World& world, const std::vector<StepBatchEntry>& entries, absl::Time now) {
  std::vector<StepRequest> rows;
  const std::vector<Begun> begun = BeginAll(entries, rows);
  if (begun.empty()) return;
  const StepOptions options{.sampler_calls = begun.front().entry.work->sampler_calls()};
  // Without a row there is nothing to ask the world for.
  absl::StatusOr<std::vector<StepRow>> results = std::vector<StepRow>();
  if (!rows.empty()) results = world.Step(rows, options);
  const size_t batch_rows = rows.size();
  rows.clear();  // the works hold what they need of the old states
  if (results.ok() && results->size() != batch_rows) {
    results = absl::InternalError(
        absl::StrCat("the world answered ", results->size(), " rows for ", batch_rows));
  }
  if (!results.ok()) {
    const bool retry_alone = absl::IsResourceExhausted(results.status()) && begun.size() > 1;
    for (const Begun& one : begun) {
      if (retry_alone) {
        RunStepBatch(world, {one.entry}, now);
      } else {
        one.entry.work->Refuse(results.status());
      }
    }
    return;
  }
  size_t first = 0;
  for (const Begun& one : begun) {
    CompleteOne(world, one, std::span(*results).subspan(first, one.rows), batch_rows, now);
    first += one.rows;
  }
}

}  // namespace gwm::server
