// Steps of several works in one call of the world.
#ifndef GWM_SERVER_SCHEDULE_STEP_BATCH_H_
#define GWM_SERVER_SCHEDULE_STEP_BATCH_H_

#include <vector>

#include "server/schedule/work.h"

namespace gwm::server {

struct StepBatchEntry {
  StepWork* work = nullptr;  // borrowed for the call
  absl::Duration queue;
};

// Device thread. All entries have the same sampler_calls. A work whose Begin fails is refused
// alone. When the world runs out of memory for all together, each is tried alone; any other error
// of the world refuses them all.
void RunStepBatch(World& world, const std::vector<StepBatchEntry>& entries, absl::Time now);

}  // namespace gwm::server

#endif  // GWM_SERVER_SCHEDULE_STEP_BATCH_H_
