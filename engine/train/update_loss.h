// The losses of the parts of a world model, for `rows` rows drawn with the given generator. The
// first term is what is minimised.
#ifndef GWM_ENGINE_TRAIN_UPDATE_LOSS_H_
#define GWM_ENGINE_TRAIN_UPDATE_LOSS_H_

#include <vector>

#include "engine/data/latent_sequences.h"
#include "engine/train/imagined_sequences.h"
#include "engine/train/options.h"
#include "engine/train/sharded_gradients.h"

namespace gwm {

// KL, pixel or Chamfer + matched-feature loss, rendered L1 (options.vae_loss). Rows come in groups
// of options.vae_loss.frames_per_reset; at least one group is drawn.
LossTerms TokenizerLoss(WorldModel& model, const Dataset& data, const TrainOptions& options,
                        int64_t rows, torch::Generator& generator);

// Rows start from a reset frame and a current frame of one sequence; up to `unroll` own predictions
// precede the trained step (options.dynamics_loss). Each sequence has at least LeastFrames.
LossTerms DynamicsLoss(WorldModel& model, const std::vector<LatentSequence>& sequences,
                       const TrainOptions& options, int64_t rows, torch::Generator& generator);
int64_t LeastFrames(const TrainOptions& options);

// Reward, termination and success on real transitions with noise on the latents, and on imagined
// ones where there are any (options.reward_loss).
LossTerms RewardLoss(WorldModel& model, const std::vector<LatentSequence>& sequences,
                     const std::vector<ImaginedSequence>& imagined, const RewardLossOptions& o,
                     int64_t rows, torch::Generator& generator);

// The squared error of imagined latents. The model has an error head, `imagined` an entry.
LossTerms ErrorLoss(WorldModel& model, const std::vector<ImaginedSequence>& imagined, int64_t rows,
                    torch::Generator& generator);

}  // namespace gwm

#endif  // GWM_ENGINE_TRAIN_UPDATE_LOSS_H_
