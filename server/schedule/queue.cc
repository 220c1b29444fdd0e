#include "server/schedule/queue.h"

#include <iterator>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"

namespace gwm::server {

absl::Status WorkQueue::Push(QueueEntry& entry, Admission admission) {
  absl::MutexLock lock(&mutex_);
  if (stopped_) {
    return MakeError(absl::StatusCode::kUnavailable, "the server is shutting down",
                     {.reason = std::string(kDraining), .retry_after = absl::Seconds(1)});
  }
  if (admission == Admission::kIfRoom && entries_.size() >= max_length_) {
    return MakeError(absl::StatusCode::kResourceExhausted,
                     absl::StrCat("the queue is full: ", max_length_, " calls are waiting"),
                     {.reason = std::string(kOverloaded), .retry_after = absl::Milliseconds(100)});
  }
  entries_.push_back(std::move(entry));
  return absl::OkStatus();
}

std::vector<QueueEntry> WorkQueue::Take() {
  absl::MutexLock lock(&mutex_);
  mutex_.Await(absl::Condition(this, &WorkQueue::Ready));
  std::vector<QueueEntry> batch;
  if (stopped_) return batch;
  batch.push_back(std::move(entries_.front()));
  entries_.pop_front();
  TakeCompanions(batch);
  return batch;
}

void WorkQueue::TakeCompanions(std::vector<QueueEntry>& batch) {
  const auto* first = dynamic_cast<const StepWork*>(batch.front().work.get());
  if (first == nullptr) return;
  int64_t rows = first->rows();
  // Owners that later works may not overtake: they are in the batch or have work that stays behind.
  std::set<const void*> owners = {first->owner()};
  std::deque<QueueEntry> left;
  for (QueueEntry& entry : entries_) {
    const auto* step = dynamic_cast<const StepWork*>(entry.work.get());
    const bool first_of_owner =
        entry.work->owner() == nullptr || owners.insert(entry.work->owner()).second;
    const bool fits = step != nullptr && step->sampler_calls() == first->sampler_calls() &&
                      rows + step->rows() <= max_batch_rows_;
    if (first_of_owner && fits) {
      rows += step->rows();
      batch.push_back(std::move(entry));
    } else {
      left.push_back(std::move(entry));
    }
  }
  entries_.swap(left);
}

std::vector<QueueEntry> WorkQueue::Stop() {
  absl::MutexLock lock(&mutex_);
  stopped_ = true;
  std::vector<QueueEntry> left(std::make_move_iterator(entries_.begin()),
                               std::make_move_iterator(entries_.end()));
  entries_.clear();
  return left;
}

size_t WorkQueue::length() const {
  absl::MutexLock lock(&mutex_);
  return entries_.size();
}

}  // namespace gwm::server
