// The first use of a world, before a client waits for it: memory, kernels and caches are made then.
#ifndef GWM_SERVER_MODELS_WARM_UP_H_
#define GWM_SERVER_MODELS_WARM_UP_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "server/base/clock.h"
#include "server/schedule/device_thread.h"

namespace gwm::server {

struct WarmUpTimes {
  absl::Duration reset;
  absl::Duration step;
  absl::Duration render;
};

// A real Reset, Step and Render of `rows` environments, each in a turn of its own on the device
// thread, so that other works run between them. Waits for them: not for RPC threads. DataLoss when
// a row is not finite; else the world's error, or the device thread's refusal.
absl::StatusOr<WarmUpTimes> WarmUp(DeviceThread& device, const WorldHandle& world, uint32_t rows,
                                   const Clock& clock);

}  // namespace gwm::server

#endif  // GWM_SERVER_MODELS_WARM_UP_H_
