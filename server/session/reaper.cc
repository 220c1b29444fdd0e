#include "server/session/reaper.h"

namespace gwm::server {

Reaper::Reaper(SessionTable* table, absl::Duration tick)
    : table_(table), tick_(tick), thread_([this] { Loop(); }) {}

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
    table_->ReapExpired();
  }
}

}  // namespace gwm::server
