// States that calls start from instead of an environment of their session.
#ifndef GWM_SERVER_WORK_START_STATE_H_
#define GWM_SERVER_WORK_START_STATE_H_

#include <variant>

#include "absl/status/statusor.h"
#include "engine/api/world.h"
#include "server/session/session.h"
#include "server/session/state_blob.h"

namespace gwm::server {

// One that the server keeps, in its pool or in host memory, or one that came as bytes and was
// decoded.
using StartState = std::variant<Env, StateContent>;

// Device thread. The environment with its state in the pool. DataLoss / STATE_CORRUPT or
// FailedPrecondition / STATE_MISMATCH when the world does not take the bytes; ResourceExhausted.
absl::StatusOr<Env> Materialise(World& world, const StartState& start);

// Device thread. Everything about an environment that has a state, with copies of its tensors.
absl::StatusOr<StateContent> ContentOf(World& world, const Env& env, uint32_t max_episode_steps);

}  // namespace gwm::server

#endif  // GWM_SERVER_WORK_START_STATE_H_
