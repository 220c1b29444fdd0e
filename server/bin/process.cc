#include "server/bin/process.h"

#include <google/protobuf/stubs/logging.h>

#include "absl/synchronization/mutex.h"

namespace gwm::server {

void SetUpProcess() {
  // A client's broken bytes get an answer, not a line each in our log.
  google::protobuf::SetLogHandler(nullptr);
  // Debian's abseil is built with the search for deadlocks on, a tenth of what a small call costs.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
}

}  // namespace gwm::server
