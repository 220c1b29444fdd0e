#include "server/rpc/device_verdict.h"

#include <algorithm>

namespace gwm::server {
namespace {

constexpr int kPatience = 20;

}  // namespace

DeviceVerdict Judge(const Pulse& pulse, absl::Time now, const HealthTimes& times,
                    absl::Duration max_call_time) {
  absl::Time quiet_until = now;
  if (pulse.busy_since.has_value()) {
    const bool unknown = pulse.expected == absl::ZeroDuration();
    const absl::Duration patience = unknown ? max_call_time : kPatience * pulse.expected;
    const absl::Duration running = now - *pulse.busy_since;
    const bool watched = times.watchdog > absl::ZeroDuration();
    if (watched && running > std::max(times.watchdog, patience)) return DeviceVerdict::kStuck;
    if (running > std::max(times.timeout, patience)) return DeviceVerdict::kIll;
    quiet_until = *pulse.busy_since;
  }
  return quiet_until - pulse.proved_at > times.timeout ? DeviceVerdict::kIll : DeviceVerdict::kWell;
}

}  // namespace gwm::server
