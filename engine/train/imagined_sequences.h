// Training episodes as the model imagines them.
#ifndef GWM_ENGINE_TRAIN_IMAGINED_SEQUENCES_H_
#define GWM_ENGINE_TRAIN_IMAGINED_SEQUENCES_H_

#include <vector>

#include "engine/data/latent_sequences.h"
#include "engine/model/world_model.h"

namespace gwm {

// Rollouts of `steps` steps that start at every `steps`-th frame of each sequence (at frame 0 alone
// where only that may be the reset frame) and follow the real actions: frame 0 of a result is the
// real start, the later ones are imagined; action, reward and flags are those of the real frames.
// One denoiser call per step, no gradient; noise keyed by (seed, sequence, frame). Rollouts that
// would start at the last frame are left out. Progress line unless `quiet`.
std::vector<LatentSequence> ImagineSequences(const WorldModel& model,
                                             const std::vector<LatentSequence>& sequences,
                                             int64_t steps, uint64_t seed, bool quiet);

}  // namespace gwm

#endif  // GWM_ENGINE_TRAIN_IMAGINED_SEQUENCES_H_
