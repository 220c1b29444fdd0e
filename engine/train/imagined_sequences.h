// Training episodes as the model imagines them.
#ifndef GWM_ENGINE_TRAIN_IMAGINED_SEQUENCES_H_
#define GWM_ENGINE_TRAIN_IMAGINED_SEQUENCES_H_

#include <optional>
#include <vector>

#include "engine/data/latent_sequences.h"
#include "engine/model/world_model.h"

namespace gwm {

struct ImaginedSequence {
  LatentSequence imagined;
  torch::Tensor real;  // f32 [T, M, L], the latents of the real frames, not standardised
};

// Rollouts of `steps` steps that start at every `steps`-th frame of each sequence (at frame 0 alone
// where only that may be the reset frame) and follow the real actions: frame 0 of a result is the
// real start, the later ones are imagined; action, reward and flags are those of the real frames.
// One denoiser call per step, no gradient; noise keyed by (seed, sequence, frame). Rollouts that
// would start at the last frame are left out. On a CPU the sequences are dealt to the compute
// threads. Progress line unless `quiet`.
std::vector<ImaginedSequence> ImagineSequences(const WorldModel& model,
                                               const std::vector<LatentSequence>& sequences,
                                               int64_t steps, uint64_t seed, bool quiet);

// The same, made when they are first asked for: a stage that is complete needs none.
class LazyImagination {
 public:
  // Model and sequences must outlive this; the dynamics must be trained before Make.
  LazyImagination(const WorldModel& model, const std::vector<LatentSequence>& sequences,
                  int64_t steps, uint64_t seed, bool quiet)
      : model_(model), sequences_(sequences), steps_(steps), seed_(seed), quiet_(quiet) {}

  void Make() {
    if (!made_) made_ = ImagineSequences(model_, sequences_, steps_, seed_, quiet_);
  }
  // After Make.
  const std::vector<ImaginedSequence>& Get() const { return made_.value(); }

 private:
  const WorldModel& model_;
  const std::vector<LatentSequence>& sequences_;
  const int64_t steps_;
  const uint64_t seed_;
  const bool quiet_;
  std::optional<std::vector<ImaginedSequence>> made_;
};

}  // namespace gwm

#endif  // GWM_ENGINE_TRAIN_IMAGINED_SEQUENCES_H_
