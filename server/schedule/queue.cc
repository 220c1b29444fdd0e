#include "server/schedule/queue.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace gwm::server {
namespace {

// What a turn is charged at least, and what it is charged while nothing was measured.
constexpr absl::Duration kLeastCharge = absl::Microseconds(10);
constexpr absl::Duration kUnknownCharge = absl::Milliseconds(1);

// For so many quanta after the last interactive work, others are kept short.
constexpr int64_t kQuantaOfPatience = 64;

// A call that takes long itself may also wait for long: so many times its own duration.
constexpr int kPatience = 4;

constexpr absl::Duration kShortestRetry = absl::Milliseconds(10);
constexpr absl::Duration kLongestRetry = absl::Seconds(5);

absl::Status Overloaded(const std::string& why, absl::Duration retry_after) {
  return MakeError(absl::StatusCode::kResourceExhausted, why,
                   {.reason = std::string(kOverloaded),
                    .retry_after = std::clamp(retry_after, kShortestRetry, kLongestRetry)});
}

std::string Rounded(absl::Duration duration) {
  return absl::FormatDuration(absl::Trunc(duration, absl::Milliseconds(1)));
}

absl::Duration Charged(std::optional<absl::Duration> cost) {
  return std::max(cost.value_or(kUnknownCharge), kLeastCharge);
}

}  // namespace

absl::Status WorkQueue::Push(QueueEntry& entry, Admission admission) {
  absl::MutexLock lock(&mutex_);
  if (!stopped_.ok()) return stopped_;
  const Work& work = *entry.work;
  entry.load = LoadOf(work.demand(), costs_[work.group()], options_.batch);
  if (admission == Admission::kIfRoom) {
    if (absl::Status status = Admit(work, entry.load, entry.enqueued_at); !status.ok()) {
      return status;
    }
  }
  entry.id = ++last_id_;
  const CallHandle& call = work.call();
  backlog_.Add(call.work_class(), call.client(), entry.load);
  order_.Push({.id = entry.id,
               .work_class = call.work_class(),
               .client = call.client(),
               .owner = work.owner(),
               .deadline = call.deadline(),
               .group = entry.is_step() ? work.group() : nullptr});
  const uint64_t id = entry.id;
  waiting_.emplace(id, std::move(entry));
  return absl::OkStatus();
}

absl::Status WorkQueue::Admit(const Work& work, absl::Duration own, absl::Time now) {
  const CallHandle& call = work.call();
  if (waiting_.size() >= options_.max_length) {
    const absl::Duration all = backlog_.UpTo(WorkClass::kTraining);
    return Overloaded(
        absl::StrCat("the queue is full: ", options_.max_length, " calls are waiting"),
        std::max(all / 2, absl::Milliseconds(100)));
  }
  // With nothing to do the device may as well find out what the work costs.
  if (order_.empty() || call.work_class() == WorkClass::kTraining) return absl::OkStatus();
  const Demand& demand = work.demand();
  absl::Duration alone = own;
  if (demand.stage == Stage::kStep) {
    alone = std::max(own,
                     TimeToResult(costs_[work.group()], demand.rows, demand.calls, options_.batch));
  }
  alone *= std::max(demand.repeats, 1);
  // A client that waits for more than the others do is served after them.
  const absl::Duration last_turn = backlog_.FairFinish(call.work_class(), call.client(), own) - own;
  const auto finish = [&](absl::Duration ahead) { return std::max(ahead, last_turn) + alone; };
  const absl::Duration most = std::max(options_.max_queue_time, kPatience * alone);
  absl::Duration ahead = backlog_.UpTo(call.work_class());
  if (ahead <= most && now + finish(ahead) <= call.deadline()) return absl::OkStatus();
  ahead = backlog_.Ahead(call.work_class(), call.client(), own);
  if (ahead > most) {
    return Overloaded(absl::StrCat(Rounded(ahead), " of work goes before this call; up to ",
                                   Rounded(most), " is allowed"),
                      ahead - most);
  }
  if (now + finish(ahead) <= call.deadline()) return absl::OkStatus();
  return Overloaded(absl::StrCat("the call would be done in ", Rounded(finish(ahead)),
                                 ", after its deadline in ", Rounded(call.deadline() - now)),
                    ahead);
}

QueueEntry WorkQueue::Start(uint64_t id, int rows, absl::Duration expected) {
  const auto found = waiting_.find(id);
  QueueEntry entry = std::move(found->second);
  waiting_.erase(found);
  entry.turn_rows = rows;
  entry.expected = expected;
  order_.Start(id);
  if (!entry.is_step()) {
    // It answers its caller before it is finished here: a call that the caller makes then must not
    // find it in its way. One work too few is counted at most, the one that runs.
    const CallHandle& call = entry.work->call();
    backlog_.Remove(call.work_class(), call.client(), entry.load, /*last=*/false);
    entry.load = absl::ZeroDuration();
  }
  // In advance, so that one quantum holds rows of several clients; Finish puts it right.
  order_.Charge(id, expected);
  return entry;
}

std::vector<QueueEntry> WorkQueue::Take() {
  absl::MutexLock lock(&mutex_);
  mutex_.Await(absl::Condition(this, &WorkQueue::Ready));
  std::vector<QueueEntry> batch;
  if (!stopped_.ok()) return batch;
  const uint64_t first = order_.Next()->id;
  const QueueEntry& entry = waiting_.at(first);
  const Demand& demand = entry.work->demand();
  const bool step = entry.is_step();
  const CostTable& costs = costs_[entry.work->group()];
  const BatchLimits limits = LimitsOfQuantum(*entry.work);
  const int rows = step ? RowsToStart(costs, entry.rows_left(), limits) : demand.rows;
  batch.push_back(Start(first, rows, Charged(costs.Predict(demand.stage, rows))));
  if (step) TakeCompanions(limits, batch);
  order_.EndQuantum();
  return batch;
}

BatchLimits WorkQueue::LimitsOfQuantum(const Work& work) {
  if (work.call().work_class() == WorkClass::kInteractive) {
    quanta_since_interactive_ = 0;
    return options_.batch;
  }
  return ++quanta_since_interactive_ <= kQuantaOfPatience
             ? LimitsAmongUrgent(costs_[work.group()], options_.batch)
             : options_.batch;
}

void WorkQueue::TakeCompanions(const BatchLimits& limits, std::vector<QueueEntry>& batch) {
  const Work& first = *batch.front().work;
  const WorkClass urgent = first.call().work_class();
  const CostTable& costs = costs_[first.group()];
  int rows = batch.front().turn_rows, urgent_rows = rows;
  while (rows < limits.max_rows) {
    const Ticket* next = order_.Next(first.group());
    if (next == nullptr) return;
    const bool equal = next->work_class <= urgent;
    const int joining =
        RowsToJoin(costs, rows, waiting_.at(next->id).rows_left(), equal ? 0 : urgent_rows, limits);
    if (joining == 0) return;
    const auto before = costs.Predict(Stage::kStep, rows);
    rows += joining;
    urgent_rows += equal ? joining : 0;
    const auto after = costs.Predict(Stage::kStep, rows);
    batch.push_back(Start(next->id, joining,
                          Charged(before.has_value() ? std::optional(*after - *before) : before)));
  }
}

void WorkQueue::Settle(const QueueEntry& entry, absl::Duration device_time) {
  order_.Charge(entry.id, std::max(device_time, kLeastCharge) - entry.expected);
}

void WorkQueue::Finish(const QueueEntry& entry, absl::Duration device_time) {
  absl::MutexLock lock(&mutex_);
  const CallHandle& call = entry.work->call();
  Settle(entry, device_time);
  order_.Finish(entry.id);
  backlog_.Remove(call.work_class(), call.client(), entry.load, /*last=*/true);
}

absl::Status WorkQueue::Return(QueueEntry& entry, absl::Duration device_time) {
  absl::MutexLock lock(&mutex_);
  const CallHandle& call = entry.work->call();
  Settle(entry, device_time);
  if (!stopped_.ok()) {
    order_.Finish(entry.id);
    backlog_.Remove(call.work_class(), call.client(), entry.load, /*last=*/true);
    return stopped_;
  }
  const Demand& demand = entry.work->demand();
  const absl::Duration left = LoadOf(
      {.stage = Stage::kStep, .rows = entry.progress->row_calls_left(), .shown = demand.shown},
      costs_[entry.work->group()], options_.batch);
  backlog_.Remove(call.work_class(), call.client(), entry.load - left, /*last=*/false);
  entry.load = left;
  order_.Return(entry.id);
  const uint64_t id = entry.id;
  waiting_.emplace(id, std::move(entry));
  return absl::OkStatus();
}

QueueEntry WorkQueue::Drop(uint64_t id) {
  const auto found = waiting_.find(id);
  QueueEntry entry = std::move(found->second);
  waiting_.erase(found);
  const CallHandle& call = entry.work->call();
  backlog_.Remove(call.work_class(), call.client(), entry.load, /*last=*/true);
  order_.Finish(id);
  return entry;
}

std::vector<QueueEntry> WorkQueue::RemoveDead(absl::Time now) {
  absl::MutexLock lock(&mutex_);
  std::vector<uint64_t> ids;
  for (const auto& [id, entry] : waiting_) {
    const CallHandle& call = entry.work->call();
    if (call.cancelled() || now >= call.deadline()) ids.push_back(id);
  }
  std::sort(ids.begin(), ids.end());
  std::vector<QueueEntry> dead;
  for (uint64_t id : ids) dead.push_back(Drop(id));
  return dead;
}

std::vector<QueueEntry> WorkQueue::Stop(const absl::Status& why) {
  absl::MutexLock lock(&mutex_);
  stopped_.Update(why);
  std::vector<uint64_t> ids;
  for (const auto& [id, entry] : waiting_) ids.push_back(id);
  std::sort(ids.begin(), ids.end());
  std::vector<QueueEntry> left;
  for (uint64_t id : ids) left.push_back(Drop(id));
  return left;
}

void WorkQueue::Learn(const void* world, Stage stage, int rows, absl::Duration cost) {
  absl::MutexLock lock(&mutex_);
  costs_[world].Learn(stage, rows, cost);
}

absl::Duration WorkQueue::Predict(const void* world, Stage stage, int rows) {
  absl::MutexLock lock(&mutex_);
  return costs_[world].Predict(stage, rows).value_or(absl::ZeroDuration());
}

void WorkQueue::Forget(const void* world) {
  absl::MutexLock lock(&mutex_);
  costs_.erase(world);
}

size_t WorkQueue::length() const {
  absl::MutexLock lock(&mutex_);
  return waiting_.size();
}

std::array<WorkQueue::ClassBacklog, kWorkClasses> WorkQueue::ByClass() const {
  absl::MutexLock lock(&mutex_);
  std::array<ClassBacklog, kWorkClasses> classes;
  for (int c = 0; c < kWorkClasses; ++c) {
    const auto work_class = static_cast<WorkClass>(c);
    classes[static_cast<size_t>(c)] = {.works = backlog_.works(work_class),
                                       .device_time = backlog_.Of(work_class)};
  }
  return classes;
}

}  // namespace gwm::server
