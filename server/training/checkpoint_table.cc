#include "server/training/checkpoint_table.h"

#include <algorithm>

#include "server/base/status.h"
#include "server/training/episode_file.h"
#include "server/training/job_file.h"

namespace gwm::server {

absl::Status CheckpointTable::Load() {
  if (!disk_.Exists(path_)) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::string text, disk_.Read(path_));
  auto all = CheckpointsFromJson(text);
  if (!all.ok()) {
    RETURN_IF_ERROR(disk_.Rename(path_, path_ + std::string(kDamagedSuffix)));
    return all.status();
  }
  absl::MutexLock lock(&mutex_);
  all_ = *std::move(all);
  return absl::OkStatus();
}

absl::Status CheckpointTable::Write(std::vector<TrainedCheckpoint> next) {
  RETURN_IF_ERROR(disk_.Write(path_, ToJson(next)));
  all_ = std::move(next);
  return absl::OkStatus();
}

absl::Status CheckpointTable::Add(TrainedCheckpoint checkpoint) {
  absl::MutexLock lock(&mutex_);
  auto next = all_;
  std::erase_if(next, [&](const auto& one) { return one.checkpoint == checkpoint.checkpoint; });
  next.push_back(std::move(checkpoint));
  return Write(std::move(next));
}

absl::Status CheckpointTable::Remove(const std::string& checkpoint) {
  absl::MutexLock lock(&mutex_);
  auto next = all_;
  std::erase_if(next, [&](const auto& one) { return one.checkpoint == checkpoint; });
  return Write(std::move(next));
}

absl::Status CheckpointTable::Retire(const std::string& job_id, size_t keep) {
  absl::MutexLock lock(&mutex_);
  auto next = all_;
  for (auto one = next.rbegin(); one != next.rend(); ++one) {
    if (one->job_id != job_id || !one->published || one->retired) continue;
    if (keep > 0) {
      --keep;
    } else {
      one->retired = true;
    }
  }
  return Write(std::move(next));
}

std::vector<TrainedCheckpoint> CheckpointTable::List() const {
  absl::MutexLock lock(&mutex_);
  return all_;
}

std::vector<TrainedCheckpoint> CheckpointTable::PublishedBy(const std::string& job_id) const {
  auto found = List();
  std::erase_if(found, [&](const TrainedCheckpoint& one) {
    return one.job_id != job_id || !one.published || one.retired;
  });
  return found;
}

std::optional<TrainedCheckpoint> CheckpointTable::Find(const std::string& checkpoint) const {
  for (TrainedCheckpoint& one : List()) {
    if (one.checkpoint == checkpoint) return std::move(one);
  }
  return std::nullopt;
}

}  // namespace gwm::server
