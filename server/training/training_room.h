// Training as a whole: data, jobs and checkpoints below one folder, which outlive the process.
//
//   ROOT/datasets/...           episode_store.h
//   ROOT/jobs/ID/job.json       job_trainer.h says what else
//   ROOT/checkpoints.json       what jobs wrote below CHECKPOINT_ROOT/trained/
#ifndef GWM_SERVER_TRAINING_TRAINING_ROOM_H_
#define GWM_SERVER_TRAINING_TRAINING_ROOM_H_

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "engine/io/file.h"
#include "server/base/random_source.h"
#include "server/base/ticker.h"
#include "server/models/model_registry.h"
#include "server/training/job_runner.h"
#include "server/training/training_parts.h"

namespace gwm::server {

struct TrainingOptions {
  std::string root;
  std::string checkpoint_root;
  // Of the model that serving started with, which need not lie below the root of checkpoints.
  std::string first_checkpoint;
  Limits limits;
  absl::Duration save_period = absl::Seconds(30);
  absl::Duration collect_period = absl::Seconds(1);  // zero: Collect is called by hand
  std::unique_ptr<Disk> disk;
  DeviceThread* device = nullptr;  // these outlive the room
  ModelRegistry* models = nullptr;
  ShareLimiter* share = nullptr;
  const Clock* clock = nullptr;
  RandomSource random;
  TrainerOpener open;
  TrainingHooks hooks;
};

// A job with what it published and stays.
struct JobView {
  TrainingJob job;
  std::vector<TrainedCheckpoint> published;
  uint64_t version = 0;  // greater after every change
};

// Thread-safe.
class TrainingRoom {
 public:
  using Viewed = std::function<void(absl::StatusOr<JobView>)>;

  // FailedPrecondition when another process uses the folder; the disk's error.
  static absl::StatusOr<std::unique_ptr<TrainingRoom>> Open(TrainingOptions options);
  // Stop.
  ~TrainingRoom();

  // Goes on with the jobs that had not ended. Once, when models can be loaded.
  void Resume() ABSL_LOCKS_EXCLUDED(mutex_);
  // Every job stands still, with its state saved, when this returns. Idempotent; before the device
  // thread and the registry stop.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);

  EpisodeStore& episodes() { return *episodes_; }
  // Tells the jobs that there is new data.
  void Appended() ABSL_LOCKS_EXCLUDED(mutex_);
  // FAILED_PRECONDITION / JOB_RUNNING while a job uses it; as EpisodeStore::Delete.
  absl::Status DeleteDataset(const std::string& dataset) ABSL_LOCKS_EXCLUDED(mutex_);

  // Done once the model to train is open. The same spec again: the job that it began. Errors:
  // JOB_EXISTS, CHECKPOINT_EXISTS, UNKNOWN_DATASET, QUOTA, and those of opening.
  void Start(TrainingSpec spec, const Viewed& done) ABSL_LOCKS_EXCLUDED(mutex_);
  // NOT_FOUND / UNKNOWN_JOB.
  absl::StatusOr<JobView> Get(const std::string& id) const ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<uint64_t> VersionOf(const std::string& id) const ABSL_LOCKS_EXCLUDED(mutex_);
  std::vector<JobView> List() const ABSL_LOCKS_EXCLUDED(mutex_);
  void Cancel(const std::string& id, const Viewed& done) ABSL_LOCKS_EXCLUDED(mutex_);
  void Save(const std::string& id, SaveArgs args, const JobRunner::Saved& done)
      ABSL_LOCKS_EXCLUDED(mutex_);

  std::vector<TrainedCheckpoint> Checkpoints() const { return checkpoints_->List(); }
  absl::Status DeleteCheckpoint(const std::string& name) { return publisher_->Delete(name); }
  bool Served(const std::string& digest) const { return publisher_->Served(digest); }
  // What is done regularly: retired versions go when their sessions have ended.
  void Collect() { publisher_->Collect(); }
  // That have not ended.
  size_t active_jobs() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  using Job = std::shared_ptr<JobRunner>;

  explicit TrainingRoom(TrainingOptions options);
  absl::Status OpenFolders();
  absl::Status LoadJobs() ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<Job> Find(const std::string& id) const ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<std::string> FolderOfOrigin(const TrainingSpec& spec) const;
  // A new job, or the one that this spec began. `begun`: whether it is new.
  absl::StatusOr<Job> Place(TrainingSpec& spec, bool& begun) ABSL_LOCKS_EXCLUDED(mutex_);
  size_t CountActive() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status CheckRoom(const TrainingSpec& spec) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ForgetOldJobs(std::vector<Job>& forgotten) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Opened(const Job& job, const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_);
  JobView View(const JobRunner& job) const;
  void SetLeastShare() ABSL_LOCKS_EXCLUDED(mutex_);

  TrainingOptions options_;
  TrainingParts parts_;
  std::unique_ptr<io::FileLock> lock_;
  std::unique_ptr<EpisodeStore> episodes_;
  std::unique_ptr<CheckpointTable> checkpoints_;
  std::unique_ptr<Publisher> publisher_;
  mutable absl::Mutex mutex_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  std::map<std::string, Job> jobs_ ABSL_GUARDED_BY(mutex_);
  std::vector<Job> failed_ ABSL_GUARDED_BY(mutex_);  // to begin; their threads end
  // Who waits for a job to open.
  std::map<std::string, std::vector<Viewed>> opening_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<Ticker> collector_;
};

}  // namespace gwm::server

#endif  // GWM_SERVER_TRAINING_TRAINING_ROOM_H_
