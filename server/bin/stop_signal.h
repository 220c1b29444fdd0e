// SIGTERM and SIGINT as something to wait for, and to be woken from.
#ifndef GWM_SERVER_BIN_STOP_SIGNAL_H_
#define GWM_SERVER_BIN_STOP_SIGNAL_H_

#include <optional>

#include "absl/time/time.h"

namespace gwm::server {

// Blocks these signals for the process: make one before any other thread starts.
class StopSignal {
 public:
  enum class Event {
    kTerminate,  // SIGTERM
    kInterrupt,  // SIGINT, Ctrl-C
    kWake,       // Wake
  };
  StopSignal();
  // The next event; absent when none came within `timeout`.
  std::optional<Event> Wait(absl::Duration timeout) const;
  // Thread-safe. Ends a Wait with kWake.
  void Wake() const;
};

}  // namespace gwm::server

#endif  // GWM_SERVER_BIN_STOP_SIGNAL_H_
