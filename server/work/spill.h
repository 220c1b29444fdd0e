// States of idle sessions that wait in host memory, so that others have room in the pool.
//
//   A full pool spills the spillable sessions that were idle longest; a session that is in use
//   stays. The next call on a spilled session brings its states back, bit for bit, before it does
//   anything else.
#ifndef GWM_SERVER_WORK_SPILL_H_
#define GWM_SERVER_WORK_SPILL_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/api/world.h"
#include "server/session/session_table.h"
#include "server/work/session_call.h"

namespace gwm::server {

// Device thread. Spills sessions on `served`, whose world is `world`, until `room` fits, as far as
// that is possible.
void SpillFor(World& world, SessionTable& table, const ServedWorld& served, Room room);

// Device thread. After it, the states of the session, which the call uses, are in the pool. Spills
// and evicts others for that. ResourceExhausted / QUOTA or GPU_MEMORY: they do not fit, and stay
// where they are.
absl::Status BringBack(World& world, const SessionCall& call);

// Device thread. As SessionTable::Create and Reserve, after spilling what stands in the way.
absl::StatusOr<SessionUse> CreateSpilling(World& world, SessionTable& table, SessionConfig config);
absl::Status ReserveSpilling(World& world, SessionTable& table, const Session& session, Room room);

}  // namespace gwm::server

#endif  // GWM_SERVER_WORK_SPILL_H_
