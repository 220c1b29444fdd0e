// Episodes as standardised latents: what the dynamics and the reward head train on.
#ifndef GWM_ENGINE_DATA_LATENT_SEQUENCES_H_
#define GWM_ENGINE_DATA_LATENT_SEQUENCES_H_

#include <vector>

#include "engine/data/dataset.h"
#include "engine/model/world_model.h"

namespace gwm {

struct LatentSequence {
  torch::Tensor latents;  // f32 [T, M, L], not standardised
  // [T, M, 3]: frame r may be the reset frame of any later frame; or [1, M, 3]: only frame 0 may.
  torch::Tensor centres;
  torch::Tensor action;                       // [T, A]
  torch::Tensor reward, terminated, success;  // [T]

  int64_t frames() const { return latents.size(0); }
};

// Sequences that EncodeEpisode makes of an episode: one, or one for each of a few reset frames.
int64_t SequencesPerEpisode(const ModelConfig& config);
// Encodes one episode (posterior means, no gradient), as EncodeDataset does.
std::vector<LatentSequence> EncodeEpisode(const WorldModel& model, const Dataset& dataset,
                                          size_t episode);

// Encodes every episode (posterior means, no gradient), with a progress line. Tokenizers whose
// latents depend on the anchors (set) give one sequence for each of a few reset frames of the
// episode.
std::vector<LatentSequence> EncodeDataset(const WorldModel& model, const Dataset& dataset);

// The same through a file: read back when it was written for the same tokenizer and episodes, else
// encoded and written.
absl::StatusOr<std::vector<LatentSequence>> EncodeDatasetCached(
    const WorldModel& model, const Dataset& dataset, const std::string& path,
    const std::string& tokenizer_digest);

// Mean and std of the latents and of their standardised change, per channel over all sequences.
LatentNormalizer MeasureLatents(const std::vector<LatentSequence>& sequences, double sigma_data);

}  // namespace gwm

#endif  // GWM_ENGINE_DATA_LATENT_SEQUENCES_H_
