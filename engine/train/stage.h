// One training stage: AdamW with warm-up and cosine decay, clipping, EMA, and a state on disk from
// which a killed run goes on bit for bit. All randomness of a step is a function of (seed, stage,
// step), so nothing random needs to be saved.
#ifndef GWM_ENGINE_TRAIN_STAGE_H_
#define GWM_ENGINE_TRAIN_STAGE_H_

#include <torch/torch.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/io/event_writer.h"
#include "engine/io/image.h"
#include "engine/train/options.h"
#include "engine/train/sharded_gradients.h"

namespace gwm {

// The generator of one shard of one step.
torch::Generator StepGenerator(uint64_t seed, const std::string& stage, int64_t step,
                               int64_t shard = 0);

struct StageRun {
  std::string name;       // "vae", "dynamics", "reward", "error"
  std::string state_dir;  // holds NAME.state.safetensors
  std::string log_dir;    // TensorBoard events and NAME.png; empty: none
  StageOptions options;
  uint64_t seed = 0;
  int64_t log_every = 20;
  int64_t save_every = 200;
  bool quiet = false;  // no progress line
  // Called once before the first update of a stage that is not complete yet; may be empty.
  std::function<void()> prepare;
  // The loss of options.batch / options.shards rows of one step. `step` counts from 0. Called by
  // several threads at a time when options.shards > 1.
  std::function<LossTerms(int64_t step, torch::Generator& generator)> loss;
};

// Trains `module` to the end of the stage, from its saved state if there is one; afterwards the
// module holds the EMA weights. InvalidArgument when options.shards does not divide options.batch.
// Internal when the loss is not finite (the last good state stays on
// disk).
absl::Status RunStage(torch::nn::Module& module, const StageRun& run);

}  // namespace gwm

#endif  // GWM_ENGINE_TRAIN_STAGE_H_
