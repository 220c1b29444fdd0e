// Training of a world model beside its serving, in pieces small enough to stand between steps.
//
//   auto trainer = OpenTrainer({.checkpoint_dir = "checkpoints/gwm-small"});
//   (*trainer)->AddEpisode(episode);
//   while (*(*trainer)->PrepareNext()) {}                  // latents of what is new
//   (*trainer)->Train(TrainPart::kDynamics);               // one micro-batch
//   (*trainer)->SaveCheckpoint("checkpoints/next", "...");  // OpenWorld takes it
#ifndef GWM_ENGINE_API_TRAINER_H_
#define GWM_ENGINE_API_TRAINER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/io/episode.h"

namespace gwm {

enum class TrainPart : uint8_t { kTokenizer, kDynamics, kReward, kError };
inline constexpr int kTrainParts = 4;

struct TrainerOptions {
  // Where the weights come from: a checkpoint; or, when it is empty, `profile` with fresh weights
  // and the fields of `model_json` in place of its own.
  std::string checkpoint_dir;
  std::string profile = "gwm-tiny";
  std::string model_json;
  // Fields of engine/train/options.h in place of the defaults, as in a recipe. Learning rates stay
  // as they are after their warm-up.
  std::string train_json;
  std::string device = "auto";  // auto | cpu | cuda
  int threads = 0;              // compute threads of the calling thread; 0: left as they are
  uint64_t seed = 0;            // of fresh weights and of every draw
  int micro_rows = 4;           // rows of a micro-batch, >= 1; an update takes batch / micro_rows
};

struct TrainedMicroBatch {
  bool updated = false;  // the weights have changed: it was the last one of its update
  int64_t updates = 0;   // of this part, so far
  // Means over the micro-batches of the update, the loss first; empty unless `updated`.
  std::vector<std::pair<std::string, double>> terms;
};

struct ReplaySize {
  int64_t episodes = 0;
  int64_t frames = 0;
  int64_t bytes = 0;  // of memory: frames, latents and imagined latents
};

// Device-thread only: one thread makes all calls. An error changes nothing.
class Trainer {
 public:
  virtual ~Trainer() = default;

  // Shapes of what AddEpisode takes.
  virtual int views() const = 0;
  virtual int height() const = 0;
  virtual int width() const = 0;
  virtual int action_dim() const = 0;

  // At the end of the replay. InvalidArgument names what is malformed, of another size than the
  // model's, or too short to train on.
  virtual absl::Status AddEpisode(const io::Episode& episode) = 0;
  // Episodes from the front of the replay, until at most `frames` are left (the last one stays).
  virtual void DropOldest(int64_t frames) = 0;
  virtual ReplaySize replay() const = 0;

  // Makes one episode ready for dynamics and heads: encodes it, if it is new or the tokenizer has
  // learnt since. Whether there was one to be done.
  virtual absl::StatusOr<bool> PrepareNext() = 0;
  // Imagines one episode anew with the dynamics as it is, the one that was imagined longest ago:
  // what kError, and kReward in part, learn from. FailedPrecondition: none is prepared.
  virtual absl::Status ImagineNext() = 0;

  // One micro-batch. FailedPrecondition: the replay is empty; nothing is prepared (all parts but
  // kTokenizer); nothing is imagined, or the model has no error head (kError). Internal: the loss
  // is not finite; the update is given up, the weights stay.
  virtual absl::StatusOr<TrainedMicroBatch> Train(TrainPart part) = 0;

  // The averaged weights as a checkpoint. `note`: a line of its model card. A fresh model takes its
  // reset pool from the replay, another keeps the one that it came with.
  virtual absl::Status SaveCheckpoint(const std::string& dir, const std::string& note) = 0;
  // All of training but the replay, into and from a folder: after LoadState it goes on from the
  // last update, bit for bit where the same episodes are prepared and imagined at the same updates.
  // FailedPrecondition: of another model.
  virtual absl::Status SaveState(const std::string& dir) = 0;
  virtual absl::Status LoadState(const std::string& dir) = 0;
};

// Errors as OpenWorld; NotFound for an unknown profile; InvalidArgument for unknown fields or
// values of the options.
[[gnu::visibility("default")]] absl::StatusOr<std::unique_ptr<Trainer>> OpenTrainer(
    const TrainerOptions& options);

}  // namespace gwm

#endif  // GWM_ENGINE_API_TRAINER_H_
