// Asking a server whether it is alive: for container health checks.
#ifndef GWM_SERVER_BIN_HEALTH_PROBE_H_
#define GWM_SERVER_BIN_HEALTH_PROBE_H_

#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace gwm::server {

// OK when the server at `address` is alive (rpc/health.h); Unavailable when it answers otherwise or
// not within `timeout`.
absl::Status ProbeHealth(const std::string& address, absl::Duration timeout);

}  // namespace gwm::server

#endif  // GWM_SERVER_BIN_HEALTH_PROBE_H_
