#include "server/bin/serve.h"

#include <cstdio>
#include <cstdlib>

#include "absl/time/clock.h"

namespace gwm::server {
namespace {

// For the refusals of a lost device to leave the process.
constexpr absl::Duration kFlushTime = absl::Milliseconds(300);

enum class Ending { kInTime, kInHurry, kDeviceLost };

Ending ServeUntilRefusal(Server& server, const StopSignal& stop, const DrainTimes& times) {
  int signals = 0;
  while (true) {
    const auto plan = server.drain_plan();
    const auto event =
        stop.Wait(plan.has_value() ? plan->refuse_at - absl::Now() : absl::InfiniteDuration());
    if (server.device_lost()) return Ending::kDeviceLost;
    if (!event.has_value()) {
      if (plan.has_value() && absl::Now() >= plan->refuse_at) return Ending::kInTime;
      continue;
    }
    if (*event == StopSignal::Event::kWake) continue;
    if (++signals > 1) return Ending::kInHurry;
    // Nobody routes calls to a server at a terminal.
    const bool at_terminal = *event == StopSignal::Event::kInterrupt;
    server.BeginDrain(DrainTimes{.lame_duck = at_terminal ? absl::ZeroDuration() : times.lame_duck,
                                 .timeout = times.timeout});
  }
}

}  // namespace

int ServeUntilStopped(Server& server, const StopSignal& stop, const DrainTimes& times,
                      const Log& log) {
  const Ending ending = ServeUntilRefusal(server, stop, times);
  if (ending == Ending::kDeviceLost) {
    absl::SleepFor(kFlushTime);
    log.Error("exiting: only a restart brings the device back");
    std::fflush(nullptr);
    std::_Exit(kExitDeviceLost);
  }
  log.Info("stopping: finishing the calls that run");
  const absl::Time cancel_at = server.BeginDrain().cancel_at;
  const bool hurry = ending == Ending::kInHurry;
  server.Shutdown(hurry ? absl::ZeroDuration() : cancel_at - absl::Now());
  log.Info("stopped");
  return 0;
}

}  // namespace gwm::server
