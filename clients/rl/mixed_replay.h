// Batches of real and imagined transitions.
#ifndef GWM_CLIENTS_RL_MIXED_REPLAY_H_
#define GWM_CLIENTS_RL_MIXED_REPLAY_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "clients/rl/batch.h"
#include "clients/rl/replay.h"

namespace gwm::rl {

// The real rows of a batch: floor(rows * real_ratio), as jannerm/mbpo counts them.
int64_t RealRows(int64_t rows, double real_ratio);

// Real rows first, imagined ones after them; all of them real while `imagined` holds no transition.
// Both replays have the same shapes; give each a random_stream of its own. InvalidArgument for a
// ratio outside [0, 1] or different shapes; FailedPrecondition when rows are needed from an empty
// replay.
absl::StatusOr<Batch> SampleMixed(const Replay& real, const Replay& imagined, double real_ratio,
                                  int64_t rows, uint64_t counter);

}  // namespace gwm::rl

#endif  // GWM_CLIENTS_RL_MIXED_REPLAY_H_
