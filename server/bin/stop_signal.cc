#include "server/bin/stop_signal.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>

namespace gwm::server {
namespace {

sigset_t StopSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGUSR1);
  return signals;
}

}  // namespace

StopSignal::StopSignal() {
  const sigset_t signals = StopSignals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

std::optional<StopSignal::Event> StopSignal::Wait(absl::Duration timeout) const {
  const sigset_t signals = StopSignals();
  const timespec limit =
      absl::ToTimespec(std::clamp(timeout, absl::ZeroDuration(), absl::Hours(1)));
  const int signal = sigtimedwait(&signals, nullptr, &limit);
  if (signal < 0) return std::nullopt;
  if (signal == SIGUSR1) return Event::kWake;
  return signal == SIGINT ? Event::kInterrupt : Event::kTerminate;
}

void StopSignal::Wake() const { kill(getpid(), SIGUSR1); }

}  // namespace gwm::server
