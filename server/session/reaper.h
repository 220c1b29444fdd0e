// The thread that does what time alone brings about: ends sessions whose lease ran out, so that the
// states of vanished clients come back, and models whose grace has passed.
#ifndef GWM_SERVER_SESSION_REAPER_H_
#define GWM_SERVER_SESSION_REAPER_H_

#include <functional>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace gwm::server {

// Thread-safe. What is due when is others' business, and their clock's; this only asks regularly.
class Reaper {
 public:
  Reaper(std::function<void()> reap, absl::Duration tick);
  ~Reaper();

 private:
  void Loop() ABSL_LOCKS_EXCLUDED(mutex_);

  const std::function<void()> reap_;
  const absl::Duration tick_;
  absl::Mutex mutex_;
  bool stop_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace gwm::server

#endif  // GWM_SERVER_SESSION_REAPER_H_
