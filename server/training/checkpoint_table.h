// The checkpoints that jobs made, in one file.
#ifndef GWM_SERVER_TRAINING_CHECKPOINT_TABLE_H_
#define GWM_SERVER_TRAINING_CHECKPOINT_TABLE_H_

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "server/training/disk.h"
#include "server/training/training_job.h"

namespace gwm::server {

// Thread-safe. A change that cannot be written does not happen.
class CheckpointTable {
 public:
  // `disk` outlives the table.
  CheckpointTable(Disk* disk, std::string path) : disk_(*disk), path_(std::move(path)) {}

  // What the file says, or nothing when there is none. DataLoss when it is damaged: the table is
  // empty then, and the file is kept beside as *.damaged.
  absl::Status Load() ABSL_LOCKS_EXCLUDED(mutex_);

  // In place of one of the same name.
  absl::Status Add(TrainedCheckpoint checkpoint) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status Remove(const std::string& checkpoint) ABSL_LOCKS_EXCLUDED(mutex_);
  // All but the newest `keep` published ones of the job.
  absl::Status Retire(const std::string& job_id, size_t keep) ABSL_LOCKS_EXCLUDED(mutex_);

  // Oldest first.
  std::vector<TrainedCheckpoint> List() const ABSL_LOCKS_EXCLUDED(mutex_);
  // Those that the job published and that stay.
  std::vector<TrainedCheckpoint> PublishedBy(const std::string& job_id) const;
  std::optional<TrainedCheckpoint> Find(const std::string& checkpoint) const;

 private:
  absl::Status Write(std::vector<TrainedCheckpoint> next) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Disk& disk_;
  const std::string path_;
  mutable absl::Mutex mutex_;
  std::vector<TrainedCheckpoint> all_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace gwm::server

#endif  // GWM_SERVER_TRAINING_CHECKPOINT_TABLE_H_
