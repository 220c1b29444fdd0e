// SIGTERM and SIGINT as something to wait for.
#ifndef GWM_SERVER_BIN_STOP_SIGNAL_H_
#define GWM_SERVER_BIN_STOP_SIGNAL_H_

#include <optional>

#include "absl/time/time.h"

namespace gwm::server {

// Blocks both signals for the process: make one before any other thread starts.
class StopSignal {
 public:
  StopSignal();
  // The number of the next signal; absent when none came within `timeout`.
  std::optional<int> Wait(absl::Duration timeout) const;
};

}  // namespace gwm::server

#endif  // GWM_SERVER_BIN_STOP_SIGNAL_H_
