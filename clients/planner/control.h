// Episodes of a real environment under a planner or under random actions.
#ifndef GWM_CLIENTS_PLANNER_CONTROL_H_
#define GWM_CLIENTS_PLANNER_CONTROL_H_

#include <cstdint>
#include <functional>
#include <vector>

#include "absl/status/statusor.h"
#include "clients/planner/model_world.h"
#include "clients/planner/real_world.h"
#include "clients/rl/planner.h"

namespace gwm::planner {

// What acts: -> [A] in [-1, 1], for the step that comes next.
using Act = std::function<absl::StatusOr<std::vector<float>>(int64_t episode, int64_t step)>;

struct Episode {
  double episode_return = 0;
  bool success = false;  // at some step
  int64_t steps = 0;
};

// One episode from `seed`, of at most `max_steps`. What `act` reports; throws client::Error.
// `on_step` (may be empty) is called after every step.
absl::StatusOr<Episode> RunEpisode(RealWorld& real, const Act& act, int64_t episode, uint64_t seed,
                                   int64_t max_steps, const std::function<void()>& on_step);

// The first action of a plan that is made anew in every step.
Act PlannedActions(RealWorld& real, ModelWorld& model, rl::Planner& planner);
// Uniform, drawn from (seed, episode, step).
Act RandomActions(uint64_t seed, int64_t action_dim);

}  // namespace gwm::planner

#endif  // GWM_CLIENTS_PLANNER_CONTROL_H_
