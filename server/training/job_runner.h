// One job from its beginning to its end, on a thread of its own:
//
//   open the model -> [feed an episode | learn a piece | publish | wait for data] ... -> end
//
// Every turn of the loop is short, and between two of them the job heeds who wants it to end, wants
// a checkpoint of it, or has new data for it. Stop leaves a job as it is, to be resumed by the next
// process; whatever else ends it is noted on disk.
#ifndef GWM_SERVER_TRAINING_JOB_RUNNER_H_
#define GWM_SERVER_TRAINING_JOB_RUNNER_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "server/training/job_trainer.h"
#include "server/training/training_parts.h"

namespace gwm::server {

// What a client asks of SaveCheckpoint.
struct SaveArgs {
  std::string name;  // empty: the job chooses
  std::string note;
  bool load = false;
  bool set_default = false;
};

// Thread-safe.
class JobRunner {
 public:
  using Done = std::function<void(const absl::Status&)>;
  using Saved = std::function<void(absl::StatusOr<TrainedCheckpoint>)>;

  // `parts` outlives the job. One that has ended already is only remembered.
  JobRunner(const TrainingParts& parts, TrainingJob job);
  // Stop, and waits for the thread.
  ~JobRunner();

  // Starts the thread. opened: called once, with the error when the job could not begin; then it
  // has failed, and if it is new nothing of it is left on disk. resumes: it is known from disk.
  void Begin(bool resumes, Done opened);
  // Without a word: the next process goes on.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);
  // Waits for the thread, which ends after Stop or with the job. Not for several threads.
  void Join();
  // The piece that runs is finished first. `done` once the job has ended, at once if it has;
  // Unavailable / DRAINING when it is stopped before.
  void Cancel(Done done) ABSL_LOCKS_EXCLUDED(mutex_);
  // FAILED_PRECONDITION / JOB_ENDED, NO_DATA; as Publisher::CheckFree and the trainer.
  void Save(SaveArgs args, Saved done) ABSL_LOCKS_EXCLUDED(mutex_);
  // There may be new data.
  void Wake() ABSL_LOCKS_EXCLUDED(mutex_);

  TrainingJob job() const ABSL_LOCKS_EXCLUDED(mutex_);
  // Greater after every change of the job.
  uint64_t version() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct SaveRequest {
    SaveArgs args;
    Saved done;
  };

  void Run(bool resumes, const Done& opened);
  absl::Status OpenAndLoop(bool resumes, const Done& opened, bool& open);
  absl::Status Open(bool resumes);
  // Until the job ends (then: why, or OK) or is stopped.
  absl::Status Loop();
  // One turn. True: the schedule asks for nothing more.
  absl::StatusOr<bool> Turn();
  absl::Status LearnPiece(TrainPart part);
  bool HasEnoughData() const;
  absl::Status Feed(bool& fed);
  void WaitForData();

  absl::Status PublishIfDue();
  absl::Status Publish();
  absl::StatusOr<TrainedCheckpoint> Write(const std::string& checkpoint, const std::string& note,
                                          bool published);
  absl::StatusOr<TrainedCheckpoint> SaveNow(const SaveArgs& args);
  void ServeSaves();
  void SaveStateNow();
  void SaveStateIfDue();
  void End(JobState state, const absl::Status& why);
  // Answers whoever waits for the job.
  void TellWaiters(const absl::Status& saves, const absl::Status& cancels)
      ABSL_LOCKS_EXCLUDED(mutex_);

  template <typename Function>
  void Change(const Function& change) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    change(job_);
    job_.changed_at = parts_.clock->Now();
    ++version_;
  }
  void SetState(JobState state);
  absl::Status Note();  // the job's file
  bool Pause(absl::Duration time) ABSL_LOCKS_EXCLUDED(mutex_);
  bool stopped() const ABSL_LOCKS_EXCLUDED(mutex_);
  bool cancelled() const ABSL_LOCKS_EXCLUDED(mutex_);
  std::string folder() const { return parts_.jobs_root + "/" + id_; }
  absl::Status ForClients(const absl::Status& status) const;

  const TrainingParts& parts_;
  const std::string id_;

  // Of the job's thread.
  std::optional<JobTrainer> trainer_;
  absl::Time saved_at_;
  bool unsaved_ = false;  // something was learnt since

  mutable absl::Mutex mutex_;
  TrainingJob job_ ABSL_GUARDED_BY(mutex_);
  uint64_t version_ ABSL_GUARDED_BY(mutex_) = 1;
  bool stop_ ABSL_GUARDED_BY(mutex_) = false;
  bool cancel_ ABSL_GUARDED_BY(mutex_) = false;
  bool woken_ ABSL_GUARDED_BY(mutex_) = false;
  std::deque<SaveRequest> saves_ ABSL_GUARDED_BY(mutex_);
  std::vector<Done> on_end_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace gwm::server

#endif  // GWM_SERVER_TRAINING_JOB_RUNNER_H_
