// A thread that does one thing regularly.
#ifndef GWM_SERVER_BASE_TICKER_H_
#define GWM_SERVER_BASE_TICKER_H_

#include <functional>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace gwm::server {

// Thread-safe. What the time is, and whether there is anything to do, is the function's business;
// tests call that themselves.
class Ticker {
 public:
  // Calls `tick` every `period` of real time, on a thread of its own.
  Ticker(absl::Duration period, std::function<void()> tick);
  // Waits for the tick that runs.
  ~Ticker();

 private:
  void Loop() ABSL_LOCKS_EXCLUDED(mutex_);

  const absl::Duration period_;
  const std::function<void()> tick_;
  absl::Mutex mutex_;
  bool stop_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace gwm::server

#endif  // GWM_SERVER_BASE_TICKER_H_
