// The training stages of a world model.
#ifndef GWM_ENGINE_TRAIN_STAGES_H_
#define GWM_ENGINE_TRAIN_STAGES_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "engine/data/latent_sequences.h"
#include "engine/train/imagined_sequences.h"
#include "engine/train/options.h"
#include "engine/train/stage.h"

namespace gwm {

struct StagePaths {
  std::string state_dir;
  std::string log_dir;
  bool quiet = false;
};

// A run of stage `name` without its loss.
StageRun RunOf(const std::string& name, const StageOptions& stage, const TrainOptions& options,
               const StagePaths& paths);

// Tokenizer: KL, pixel or Chamfer + matched-feature loss, rendered L1 (options.vae_loss).
absl::Status TrainTokenizer(WorldModel& model, const Dataset& data, const TrainOptions& options,
                            const StagePaths& paths);

// Denoiser on latent sequences; the tokenizer is not touched. Rows start from a reset frame and a
// current frame of one sequence; up to `unroll` own predictions precede the trained step.
absl::Status TrainDynamics(WorldModel& model, const std::vector<LatentSequence>& sequences,
                           const TrainOptions& options, const StagePaths& paths);

// Reward, termination and success on real transitions with noise on the latents, and on imagined
// ones (options.reward_loss).
absl::Status TrainReward(WorldModel& model, const std::vector<LatentSequence>& sequences,
                         LazyImagination& imagination, const TrainOptions& options,
                         const StagePaths& paths);

// Error head: the squared error of imagined latents. FailedPrecondition when the model has none.
absl::Status TrainError(WorldModel& model, LazyImagination& imagination,
                        const TrainOptions& options, const StagePaths& paths);

}  // namespace gwm

#endif  // GWM_ENGINE_TRAIN_STAGES_H_
