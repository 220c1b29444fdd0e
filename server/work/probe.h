// Does the device still compute?
#ifndef GWM_SERVER_WORK_PROBE_H_
#define GWM_SERVER_WORK_PROBE_H_

#include "absl/status/status.h"
#include "engine/api/world.h"

namespace gwm::server {

// Device thread. One denoiser call on a state of its own: an entry of the pool, or a frame of
// nothing where there is no pool. The world's error; DataLoss when the result is not finite.
absl::Status ProbeDevice(World& world);

}  // namespace gwm::server

#endif  // GWM_SERVER_WORK_PROBE_H_
