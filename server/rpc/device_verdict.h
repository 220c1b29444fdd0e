// What the pulse of the device thread says about it.
#ifndef GWM_SERVER_RPC_DEVICE_VERDICT_H_
#define GWM_SERVER_RPC_DEVICE_VERDICT_H_

#include <cstdint>

#include "absl/time/time.h"
#include "server/base/options.h"
#include "server/schedule/heartbeat.h"

namespace gwm::server {

enum class DeviceVerdict : uint8_t {
  kWell,   // a denoiser call succeeded lately, or the thread is busy as long as it may be
  kIll,    // neither
  kStuck,  // a quantum takes so long that it will never end
};

// A quantum may take 20 times what it is expected to, or what `times` says, whichever is longer;
// one of which nothing is expected, as long as a call may.
DeviceVerdict Judge(const Pulse& pulse, absl::Time now, const HealthTimes& times,
                    absl::Duration max_call_time);

}  // namespace gwm::server

#endif  // GWM_SERVER_RPC_DEVICE_VERDICT_H_
