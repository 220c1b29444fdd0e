// Synthetic RGB-D episodes with known dynamics, for tests that learn: a red ball that the action
// pushes over a round floor with other balls that stand still, seen by two fixed cameras.
#ifndef GWM_TESTS_FAKES_TOY_SCENES_H_
#define GWM_TESTS_FAKES_TOY_SCENES_H_

#include <cstdint>

#include "engine/data/dataset.h"
#include "engine/io/episode.h"

namespace gwm::testing {

inline constexpr int64_t kToyViews = 2;
inline constexpr int64_t kToySize = 32;      // pixels, square
inline constexpr int64_t kToyActionDim = 4;  // the first two push the ball; the others do nothing
inline constexpr double kToyStepM = 0.07;    // way of the ball per unit of action
inline constexpr double kToyArenaM = 0.3;    // the ball's centre stays within +-this, per axis
inline constexpr double kToyGoalM =
    0.15;  // within this distance of the origin: terminated and success

struct ToyOptions {
  uint64_t seed = 0;
  int64_t frames = 12;
  bool still = false;  // all actions are zero
};

// reward[t] = -4 |ball position at t| in metres. Depth is exact (along the optical axis, rounded to
// mm), 0 beyond the floor.
io::Episode ToyEpisode(const ToyOptions& options);

// Episodes of the seeds first.seed, first.seed + 1, ...
Dataset ToyDataset(int64_t episodes, const ToyOptions& first);

}  // namespace gwm::testing

#endif  // GWM_TESTS_FAKES_TOY_SCENES_H_
