// Memory for states, in units of one state, and how much of it the sessions of one world may set
// aside.
#ifndef GWM_SERVER_SESSION_ROOM_H_
#define GWM_SERVER_SESSION_ROOM_H_

#include <cstdint>

#include "absl/status/status.h"
#include "engine/api/world.h"

namespace gwm::server {

struct Room {
  uint32_t envs = 0;
  uint32_t kept = 0;  // states beside those of environments
};

// What is set aside by all sessions of one world.
struct RoomUse {
  uint32_t sessions = 0;
  uint64_t envs = 0;
  uint64_t kept = 0;

  void Add(Room room) {
    envs += room.envs;
    kept += room.kept;
  }
  void Remove(Room room) {
    envs -= room.envs;
    kept -= room.kept;
  }
};

// 0: as much as half of the world's state pool holds, since a step holds the old and the new state
// of its environments at once.
struct RoomLimits {
  uint64_t max_envs = 0;
  uint64_t max_state_bytes = 0;

  // The limits that hold for a world: never 0, and never more than its pool allows.
  RoomLimits For(const WorldSpec& spec) const;
};

// Why `room` does not fit beside `use`: ResourceExhausted / QUOTA; OK when it does.
absl::Status CheckRoom(const RoomLimits& limits, const WorldSpec& spec, const RoomUse& use,
                       Room room);

uint64_t StateBytes(const WorldSpec& spec, uint64_t states);

absl::Status QuotaError(const std::string& message);

}  // namespace gwm::server

#endif  // GWM_SERVER_SESSION_ROOM_H_
