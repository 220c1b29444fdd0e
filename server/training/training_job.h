// A training job as plain values: what was asked for, and how far it is. Meaning and units: field
// by field as in gwm/v1/trainer.proto.
#ifndef GWM_SERVER_TRAINING_TRAINING_JOB_H_
#define GWM_SERVER_TRAINING_TRAINING_JOB_H_

#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "engine/api/trainer.h"

namespace gwm::server {

inline constexpr std::array<TrainPart, kTrainParts> kAllTrainParts = {
    TrainPart::kTokenizer, TrainPart::kDynamics, TrainPart::kReward, TrainPart::kError};
inline constexpr std::array<const char*, kTrainParts> kTrainPartNames = {"tokenizer", "dynamics",
                                                                         "reward", "error"};
inline const char* NameOf(TrainPart part) { return kTrainPartNames[static_cast<size_t>(part)]; }

struct PartSchedule {
  TrainPart part = TrainPart::kDynamics;
  uint64_t initial_updates = 0;
  double updates_per_frame = 0;  // appended since the job began
  uint64_t max_updates = 0;      // 0: no end

  bool operator==(const PartSchedule&) const = default;
};

struct TrainingSpec {
  std::string job_id;
  std::string dataset;
  // One of three is not empty.
  std::string model_digest;
  std::string checkpoint;
  std::string profile;
  std::string model_json;
  std::string train_json;
  uint64_t seed = 0;
  uint32_t micro_rows = 0;  // 0: kDefaultMicroRows
  std::vector<PartSchedule> schedule;
  uint64_t min_frames = 0;
  uint64_t replay_frames = 0;  // 0: as many as the server allows
  uint64_t publish_every = 0;
  uint32_t keep_published = 0;  // 0: kDefaultKeepPublished
  bool set_default = false;
  uint32_t min_share_percent = 0;  // 0: the server's
  uint32_t max_share_percent = 0;
  bool end_when_idle = false;
  std::string note;

  bool operator==(const TrainingSpec&) const = default;
};
inline constexpr uint32_t kDefaultMicroRows = 4;
inline constexpr uint32_t kDefaultKeepPublished = 2;

enum class JobState { kQueued, kRunning, kWaiting, kSucceeded, kCancelled, kFailed };
inline bool Ended(JobState state) {
  return state == JobState::kSucceeded || state == JobState::kCancelled ||
         state == JobState::kFailed;
}

struct PartProgress {
  TrainPart part = TrainPart::kDynamics;
  uint64_t updates = 0;
  uint64_t target_updates = 0;
  std::vector<std::pair<std::string, double>> terms;  // of the last update
};

struct TrainingJob {
  TrainingSpec spec;  // with the job's id
  JobState state = JobState::kQueued;
  std::vector<PartProgress> parts;  // in the order of the schedule
  uint64_t replay_frames = 0;
  uint64_t appended_frames = 0;
  uint64_t appended_before = 0;  // when the job began
  absl::Duration device_time;
  uint32_t resumed = 0;
  absl::Time created_at;
  absl::Time changed_at;
  std::string error;

  const std::string& id() const { return spec.job_id; }
  uint64_t UpdatesOf(TrainPart part) const {
    for (const PartProgress& one : parts) {
      if (one.part == part) return one.updates;
    }
    return 0;
  }
  uint64_t AllUpdates() const {
    uint64_t sum = 0;
    for (const PartProgress& one : parts) sum += one.updates;
    return sum;
  }
};

// A checkpoint that a job made.
struct TrainedCheckpoint {
  std::string checkpoint;  // folder below the root of checkpoints
  std::string digest;
  uint64_t bytes = 0;
  absl::Time created_at;
  std::string job_id;
  uint64_t dynamics_updates = 0;
  uint64_t all_updates = 0;
  uint64_t appended_frames = 0;
  bool published = false;  // by the job itself, rather than asked for
  bool retired = false;    // on its way out
};

}  // namespace gwm::server

#endif  // GWM_SERVER_TRAINING_TRAINING_JOB_H_
