// What all jobs of a server share.
#ifndef GWM_SERVER_TRAINING_TRAINING_PARTS_H_
#define GWM_SERVER_TRAINING_TRAINING_PARTS_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "engine/api/trainer.h"
#include "server/base/clock.h"
#include "server/base/options.h"
#include "server/schedule/device_thread.h"
#include "server/training/episode_store.h"
#include "server/training/publisher.h"
#include "server/training/share_limiter.h"
#include "server/training/training_job.h"

namespace gwm::server {

// Opens the model to train: OpenTrainer, with the server's device put in. Device thread.
using TrainerOpener =
    std::function<absl::StatusOr<std::unique_ptr<Trainer>>(const TrainerOptions& options)>;

// Called on any thread, without locks; each may be null.
struct TrainingHooks {
  std::function<void(TrainPart part, uint32_t rows, const TrainedMicroBatch& batch)> on_micro_batch;
  // kind: "publish", "save", "state".
  std::function<void(const std::string& kind, uint64_t bytes, absl::Duration time)> on_checkpoint;
  std::function<void(const std::string& message)> on_event;    // for the log
  std::function<void(const std::string& message)> on_trouble;  // the same, as a warning
  std::function<void()> on_damaged_file;
};

// Everything is borrowed and outlives the jobs.
struct TrainingParts {
  std::string jobs_root;
  Limits limits;
  absl::Duration save_period;
  Disk* disk = nullptr;
  EpisodeStore* episodes = nullptr;
  Publisher* publisher = nullptr;
  CheckpointTable* checkpoints = nullptr;
  ShareLimiter* share = nullptr;
  DeviceThread* device = nullptr;
  const Clock* clock = nullptr;
  TrainerOpener open;
  // The folder that the job's weights come from; called once, when it begins.
  std::function<absl::StatusOr<std::string>(const TrainingSpec& spec)> find_checkpoint;
  TrainingHooks hooks;
};

}  // namespace gwm::server

#endif  // GWM_SERVER_TRAINING_TRAINING_PARTS_H_
