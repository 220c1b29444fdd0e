// What things cost on this device, measured before the first call.
#ifndef GWM_SERVER_SCHEDULE_WARM_UP_H_
#define GWM_SERVER_SCHEDULE_WARM_UP_H_

#include <functional>

#include "absl/status/status.h"
#include "engine/api/world.h"
#include "server/base/clock.h"
#include "server/schedule/work_class.h"

namespace gwm::server {

struct WarmUpOptions {
  // What is begun within this time is finished; nothing is begun later.
  absl::Duration time_limit;
  int max_rows = 64;
  const Clock* clock = nullptr;
};

// Called with each measurement.
using OnCost = std::function<void(Stage stage, int rows, absl::Duration cost)>;

// Device thread. Real resets, denoiser calls of 1, 2, 4, ... rows and renders, from the world's
// reset pool; nothing without one. Each first of its kind is done twice and only the second one
// counts. Leaves no state behind. Memory that does not suffice ends it early; any other error is
// returned.
absl::Status WarmUp(World& world, const WarmUpOptions& options, const OnCost& on_cost);

}  // namespace gwm::server

#endif  // GWM_SERVER_SCHEDULE_WARM_UP_H_
