// The half of a job that uses the device: its trainer, what it has been fed, and its folder.
//
//   JOBS/ID/init/    the checkpoint that it began from, copied: that may be gone one day
//   JOBS/ID/state/   the last saved state of the training, with the job as it was then
#ifndef GWM_SERVER_TRAINING_JOB_TRAINER_H_
#define GWM_SERVER_TRAINING_JOB_TRAINER_H_

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/training/training_parts.h"

namespace gwm::server {

// One thread, the job's. Each call is one turn of the device at most; files are read and, where the
// trainer does not do it itself, written on the calling thread.
class JobTrainer {
 public:
  // pause: waits for so long; false, at once, when the job is to end.
  JobTrainer(const TrainingParts& parts, const TrainingSpec& spec,
             std::function<bool(absl::Duration)> pause);
  ~JobTrainer();

  // Opens the model, and goes on from the saved state where there is one: then `job` gets the
  // progress that belongs to it. BAD_CHECKPOINT, or BAD_FIELD for fresh weights, with the reason.
  absl::Status Open(TrainingJob& job);

  // Adds the next episode of the dataset to the replay. Whether there was one. InvalidArgument
  // when it does not fit the model.
  absl::StatusOr<bool> FeedOne();
  // One piece for the part: an episode encoded, one imagined, or a micro-batch, which alone can be
  // `updated`. The trainer's error.
  absl::StatusOr<TrainedMicroBatch> Learn(TrainPart part);
  // Frames in the replay.
  uint64_t frames() const { return frames_; }
  // Device time since the last call.
  absl::Duration TakeDeviceTime() { return std::exchange(device_time_, absl::ZeroDuration()); }

  // All of it or nothing.
  absl::Status SaveState(const TrainingJob& job);
  absl::Status SaveCheckpoint(const std::string& folder, const std::string& note);
  // Lets go of the model; nothing but ForgetState may follow.
  void Close();
  // The job has ended: what it would need to go on is not needed any more.
  void ForgetState();

 private:
  absl::Status OnDevice(const std::function<absl::Status()>& piece);
  absl::Status CopyOrigin();
  absl::Status AddToReplay(const EpisodeFile& file, const io::Episode& episode);
  bool WantsImagined(TrainPart part) const;

  const TrainingParts& parts_;
  const TrainingSpec spec_;
  const std::function<bool(absl::Duration)> pause_;
  const std::string folder_;
  const uint64_t most_frames_;
  const uint32_t micro_rows_;
  const bool reward_imagines_;        // the reward head learns from imagined episodes, too
  std::unique_ptr<Trainer> trainer_;  // device thread
  uint64_t next_number_ = 0;          // of the dataset's episodes
  bool fed_ = false;
  uint64_t frames_ = 0;
  uint64_t episodes_ = 0;
  bool stale_ = false;  // episodes may be there that are not encoded with the tokenizer as it is
  uint64_t imagined_ = 0;
  uint64_t head_updates_ = 0;  // since this trainer was opened, of what learns from imagined ones
  absl::Duration device_time_;
};

}  // namespace gwm::server

#endif  // GWM_SERVER_TRAINING_JOB_TRAINER_H_
