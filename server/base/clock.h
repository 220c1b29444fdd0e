// Time as the server sees it: injected, so that tests move it by hand.
#ifndef GWM_SERVER_BASE_CLOCK_H_
#define GWM_SERVER_BASE_CLOCK_H_

#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace gwm::server {

// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual absl::Time Now() const = 0;
};

class SystemClock : public Clock {
 public:
  absl::Time Now() const override { return absl::Now(); }
};

}  // namespace gwm::server

#endif  // GWM_SERVER_BASE_CLOCK_H_
