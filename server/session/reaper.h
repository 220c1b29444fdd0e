// The thread that ends sessions whose lease ran out, so that the states of vanished clients come
// back.
#ifndef GWM_SERVER_SESSION_REAPER_H_
#define GWM_SERVER_SESSION_REAPER_H_

#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "server/session/session_table.h"

namespace gwm::server {

// Thread-safe. What expires when is the table's business, and its clock's; this only asks it
// regularly.
class Reaper {
 public:
  // `table` outlives the reaper.
  Reaper(SessionTable* table, absl::Duration tick);
  ~Reaper();

 private:
  void Loop() ABSL_LOCKS_EXCLUDED(mutex_);

  SessionTable* const table_;
  const absl::Duration tick_;
  absl::Mutex mutex_;
  bool stop_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace gwm::server

#endif  // GWM_SERVER_SESSION_REAPER_H_
