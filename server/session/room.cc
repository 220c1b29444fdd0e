#include "server/session/room.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "server/base/error.h"

namespace gwm::server {

uint64_t StateBytes(const WorldSpec& spec, uint64_t states) {
  return states * static_cast<uint64_t>(std::max<int64_t>(spec.state_bytes, 1));
}

absl::Status QuotaError(const std::string& message) {
  return MakeError(absl::StatusCode::kResourceExhausted, message,
                   {.reason = std::string(kQuota), .retry_after = absl::Seconds(1)});
}

RoomLimits RoomLimits::For(const WorldSpec& spec) const {
  const auto at_most = [](uint64_t limit, uint64_t bound) {
    return limit == 0 ? bound : std::min(limit, bound);
  };
  RoomLimits out;
  const auto half_pool = static_cast<uint64_t>(std::max<int64_t>(spec.pool_states / 2, 1));
  out.max_state_bytes = at_most(max_state_bytes, StateBytes(spec, half_pool));
  out.max_envs = at_most(max_envs, out.max_state_bytes / StateBytes(spec, 1));
  return out;
}

absl::Status CheckRoom(const RoomLimits& limits, const WorldSpec& spec, const RoomUse& use,
                       Room room) {
  if (limits.max_envs != 0 && use.envs + room.envs > limits.max_envs) {
    return QuotaError(absl::StrCat("num_envs ", room.envs, " does not fit: ", use.envs, " of ",
                                   limits.max_envs, " environments are in use"));
  }
  const RoomLimits here = limits.For(spec);
  const uint64_t states = use.envs + use.kept;
  if (StateBytes(spec, states + room.envs + room.kept) > here.max_state_bytes) {
    return QuotaError(absl::StrCat(room.envs + room.kept, " states of ", StateBytes(spec, 1),
                                   " bytes do not fit: ", StateBytes(spec, states), " of ",
                                   here.max_state_bytes, " bytes are set aside"));
  }
  return absl::OkStatus();
}

}  // namespace gwm::server
