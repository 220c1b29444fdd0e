#include "server/session/reaper.h"

#include <utility>

namespace gwm::server {

Reaper::Reaper(std::function<void()> reap, absl::Duration tick)
    : reap_(std::move(reap)), tick_(tick), thread_([this] { Loop(); }) {}

Reaper::~Reaper() {
  {
    absl::MutexLock lock(&mutex_);
    stop_ = true;
  }
  thread_.join();
}

void Reaper::Loop() {
  while (true) {
    {
      absl::MutexLock lock(&mutex_);
      if (mutex_.AwaitWithTimeout(absl::Condition(&stop_), tick_)) return;
    }
    reap_();
  }
}

}  // namespace gwm::server
