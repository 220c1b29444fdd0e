#include "server/bin/stop_signal.h"

#include <pthread.h>
#include <signal.h>

#include <algorithm>

namespace gwm::server {
namespace {

sigset_t StopSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  return signals;
}

}  // namespace

StopSignal::StopSignal() {
  const sigset_t signals = StopSignals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

std::optional<int> StopSignal::Wait(absl::Duration timeout) const {
  const sigset_t signals = StopSignals();
  const timespec limit = absl::ToTimespec(std::min(timeout, absl::Hours(1)));
  const int signal = sigtimedwait(&signals, nullptr, &limit);
  if (signal < 0) return std::nullopt;
  return signal;
}

}  // namespace gwm::server
