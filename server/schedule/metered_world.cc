#include "server/schedule/metered_world.h"

#include "server/base/error.h"

namespace gwm::server {

absl::Status DeviceLostError() {
  return MakeError(absl::StatusCode::kUnavailable, "the compute device of this server is lost",
                   {.reason = std::string(kDeviceLost)});
}

}  // namespace gwm::server
