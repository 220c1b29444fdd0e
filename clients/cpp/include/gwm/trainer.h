// Training of world models on the server that serves them: episodes go in, a job learns from them
// between the steps of the sessions, and publishes what it has learnt as new model versions.
//
//   gwm::client::Trainer trainer("localhost:50051");
//   trainer.AppendEpisodes("push", episodes);
//   auto job = trainer.StartTraining(
//       {.dataset = "push",
//        .profile = "gwm-tiny",
//        .schedule = {{.part = TrainingPart::kDynamics, .initial_updates = 200}}});
//   job = trainer.WatchJob(job.job_id, [](const auto& seen) { return seen.published.empty(); });
//   client.CreateSession({.model = {.checkpoint_digest = job.published.back().digest}});
//
// Field by field: gwm/v1/trainer.proto.
#ifndef GWM_TRAINER_H_
#define GWM_TRAINER_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "gwm/client.h"
#include "gwm/export.h"
#include "gwm/tensor.h"

namespace gwm::client {

// T frames, V views, H x W pixels, A action entries. Row 0 is the reset frame, row t the result of
// action t.
struct TrainingEpisode {
  std::string episode_id;  // 1..64 letters, digits, '-', '_' or '.'; unique in its dataset
  Tensor rgb;              // u8 [T, V, H, W, 3]
  Tensor depth_mm;         // u16 [T, V, H, W]; 0: nothing hit
  Tensor intrinsics;       // f32 [V, 3, 3]
  Tensor world_from_cam;   // f32 [V, 4, 4]
  Tensor action;           // f32 [T, A]; row 0 is zero
  Tensor reward;           // f32 [T]
  Tensor terminated;       // bool [T]
  Tensor success;          // bool [T]
  std::map<std::string, std::string> metadata;
};

struct Dataset {
  std::string dataset;
  uint64_t episodes = 0;
  uint64_t frames = 0;
  uint64_t bytes = 0;            // on the server's disk
  uint64_t appended_frames = 0;  // ever
  uint64_t dropped_episodes = 0;
};

struct AppendResult {
  uint64_t appended = 0;
  uint64_t duplicates = 0;  // were there already
  Dataset dataset;          // afterwards
};

enum class TrainingPart { kTokenizer = 1, kDynamics = 2, kReward = 3, kError = 4 };

// initial_updates + updates_per_frame * (frames appended since the job began), at most max_updates.
struct PartSchedule {
  TrainingPart part = TrainingPart::kDynamics;
  uint64_t initial_updates = 0;
  double updates_per_frame = 0;
  uint64_t max_updates = 0;  // 0: no end
};

// StartTrainingRequest in trainer.proto says what each means and which are allowed together.
struct TrainingRequest {
  std::string job_id;  // empty: the server chooses
  std::string dataset;
  // One of three: a version that is served, a folder below the checkpoint root, fresh weights.
  std::string model_digest;
  std::string checkpoint;
  std::string profile;
  std::string model_json;
  std::string train_json;
  uint64_t seed = 0;
  uint32_t micro_rows = 0;
  std::vector<PartSchedule> schedule;
  uint64_t min_frames = 0;
  uint64_t replay_frames = 0;
  uint64_t publish_every = 0;
  uint32_t keep_published = 0;
  bool set_default = false;
  uint32_t min_share_percent = 0;
  uint32_t max_share_percent = 0;
  bool end_when_idle = false;
  std::string note;
};

struct TrainedCheckpoint {
  std::string checkpoint;  // folder below the server's root of checkpoints
  std::string digest;
  uint64_t bytes = 0;
  std::chrono::system_clock::time_point created_at;
  std::string job_id;
  uint64_t dynamics_updates = 0;
  uint64_t appended_frames = 0;
  bool loaded = false;  // served now
};

struct PartProgress {
  TrainingPart part = TrainingPart::kDynamics;
  uint64_t updates = 0;
  uint64_t target_updates = 0;          // what the schedule asks for now
  std::map<std::string, double> terms;  // of the last update, "loss" among them
};

struct TrainingJob {
  enum class State { kUnspecified, kQueued, kRunning, kWaiting, kSucceeded, kCancelled, kFailed };
  std::string job_id;
  State state = State::kUnspecified;
  TrainingRequest request;
  std::vector<PartProgress> parts;
  uint64_t replay_frames = 0;
  uint64_t appended_frames = 0;
  std::vector<TrainedCheckpoint> published;  // newest last
  std::chrono::milliseconds device_time{0};
  uint32_t resumed = 0;
  std::string error;  // of a failed one

  bool ended() const {
    return state == State::kSucceeded || state == State::kCancelled || state == State::kFailed;
  }
};

struct SaveCheckpointOptions {
  std::string name;  // folder below "trained/"; empty: the job and its updates
  std::string note;
  bool load = false;
  bool set_default = false;
  std::chrono::milliseconds timeout{600'000};
};

// Thread-safe. Every call throws Error.
class GWM_CLIENT_EXPORT Trainer {
 public:
  // address: "HOST:PORT" or "unix:PATH". Does not connect yet.
  explicit Trainer(const std::string& address, const ClientOptions& options = {});
  ~Trainer();

  // In this order; the first that the server refuses ends the call, those before it stay. A call
  // whose reply got lost is repeated: an episode_id that is there already counts as a duplicate.
  AppendResult AppendEpisodes(const std::string& dataset,
                              const std::vector<TrainingEpisode>& episodes,
                              std::chrono::milliseconds timeout = std::chrono::minutes(10));
  Dataset GetDataset(const std::string& dataset);
  void DeleteDataset(const std::string& dataset);

  // Opens the model to train first. Repeated when the reply got lost if the request has a job_id.
  TrainingJob StartTraining(const TrainingRequest& request,
                            std::chrono::milliseconds timeout = std::chrono::minutes(10));
  TrainingJob GetJob(const std::string& job_id);
  // Oldest first, ended ones included.
  std::vector<TrainingJob> ListJobs();
  // Returns when it has ended.
  TrainingJob CancelJob(const std::string& job_id);
  // Calls `on_change` with the job now and whenever it has changed, at most once in `min_interval`,
  // until it returns false or the job has ended. Returns the last one. `timeout` 0: none.
  TrainingJob WatchJob(const std::string& job_id,
                       const std::function<bool(const TrainingJob&)>& on_change,
                       std::chrono::milliseconds min_interval = std::chrono::seconds(1),
                       std::chrono::milliseconds timeout = std::chrono::milliseconds(0));

  // The job's averaged weights as they are now.
  TrainedCheckpoint SaveCheckpoint(const std::string& job_id,
                                   const SaveCheckpointOptions& options = {});
  std::vector<TrainedCheckpoint> ListCheckpoints();
  void DeleteCheckpoint(const std::string& checkpoint);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace gwm::client

#endif  // GWM_TRAINER_H_
