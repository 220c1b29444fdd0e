// Noise for policies, drawn by counter.
#ifndef GWM_CLIENTS_POLICIES_NOISE_H_
#define GWM_CLIENTS_POLICIES_NOISE_H_

#include "absl/status/status.h"
#include "clients/policies/chunk_policy.h"
#include "clients/policies/random_stream.h"

namespace gwm::policies {

// Noise of `rows` rows for training: draw `counter` of the streams of the loss.
ChunkNoise DrawLossNoise(const NoiseShape& shape, const ChunkSpec& spec, int64_t rows,
                         const CounterRandom& random, uint64_t counter);
// Noise of one row for acting: draw `counter` of the streams of acting.
ChunkNoise DrawActNoise(const NoiseShape& shape, const ChunkSpec& spec, const CounterRandom& random,
                        uint64_t counter);

// InvalidArgument unless `noise` is what `shape` wants of `rows` rows.
absl::Status CheckNoise(const ChunkNoise& noise, const NoiseShape& shape, const ChunkSpec& spec,
                        int64_t rows);

}  // namespace gwm::policies

#endif  // GWM_CLIENTS_POLICIES_NOISE_H_
