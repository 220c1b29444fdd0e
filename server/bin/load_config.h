// Configuration file and flags -> options.
#ifndef GWM_SERVER_BIN_LOAD_CONFIG_H_
#define GWM_SERVER_BIN_LOAD_CONFIG_H_

#include "absl/status/statusor.h"
#include "server/base/options.h"
#include "server/bin/flags.h"

namespace gwm::server {

// NotFound for a file that is not there; InvalidArgument with file, line and column, or with the
// field that is wrong.
absl::StatusOr<ServerOptions> LoadOptions(const Flags& flags);

}  // namespace gwm::server

#endif  // GWM_SERVER_BIN_LOAD_CONFIG_H_
