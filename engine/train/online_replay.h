// Episodes that come while training goes on, with what is made of them: latents by the tokenizer as
// it was at some time, and rollouts by the dynamics as it was at some time.
#ifndef GWM_ENGINE_TRAIN_ONLINE_REPLAY_H_
#define GWM_ENGINE_TRAIN_ONLINE_REPLAY_H_

#include <cstdint>
#include <vector>

#include "engine/api/trainer.h"
#include "engine/data/latent_sequences.h"
#include "engine/train/imagined_sequences.h"

namespace gwm {

class OnlineReplay {
 public:
  void Add(EpisodeTensors episode);
  // Episodes from the front, until at most `frames` are left or one episode.
  void DropOldest(int64_t frames);
  ReplaySize size() const;

  const Dataset& data() const { return data_; }
  // Of all episodes that are prepared, in their order.
  const std::vector<LatentSequence>& sequences() const { return sequences_; }
  const std::vector<ImaginedSequence>& imagined() const { return imagined_; }

  // Encodes the first episode that was not encoded after `tokenizer_updates` updates of the
  // tokenizer. Whether there was one.
  bool EncodeNext(const WorldModel& model, int64_t tokenizer_updates);
  // Rolls out the prepared episode that was rolled out longest ago; requires that one is prepared.
  void ImagineNext(const WorldModel& model, int64_t steps, uint64_t seed);

 private:
  struct Made {
    int64_t encoded_after = -1;  // updates of the tokenizer; -1: not encoded
    int64_t imagined_at = -1;    // number of the call of ImagineNext; -1: not imagined
    std::vector<LatentSequence> sequences;
    std::vector<ImaginedSequence> imagined;
  };
  void Collect();

  Dataset data_;
  std::vector<Made> made_;  // of each episode
  std::vector<LatentSequence> sequences_;
  std::vector<ImaginedSequence> imagined_;
  int64_t imaginations_ = 0;
};

}  // namespace gwm

#endif  // GWM_ENGINE_TRAIN_ONLINE_REPLAY_H_
