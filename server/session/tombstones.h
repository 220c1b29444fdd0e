// What became of sessions that are gone, for a while: a late call learns why its session is not
// there.
#ifndef GWM_SERVER_SESSION_TOMBSTONES_H_
#define GWM_SERVER_SESSION_TOMBSTONES_H_

#include <cstddef>
#include <deque>
#include <map>
#include <optional>
#include <string>

#include "absl/time/time.h"

namespace gwm::server {

enum class CloseReason { kClient, kExpired, kEvicted, kModelUnloaded, kShutdown };

// Thread-compatible.
class Tombstones {
 public:
  // Each is forgotten `life` after its session ended, the oldest also when there are more than
  // `max_count`.
  Tombstones(size_t max_count, absl::Duration life) : max_count_(max_count), life_(life) {}

  // An id is put here once.
  void Put(const std::string& id, CloseReason reason, absl::Time now);
  // Absent: never known, or forgotten.
  std::optional<CloseReason> Find(const std::string& id, absl::Time now);

  size_t size() const { return reasons_.size(); }

 private:
  struct Death {
    std::string id;
    absl::Time at;
  };
  void Forget(absl::Time now);

  const size_t max_count_;
  const absl::Duration life_;
  std::deque<Death> deaths_;  // the oldest first
  std::map<std::string, CloseReason> reasons_;
};

}  // namespace gwm::server

#endif  // GWM_SERVER_SESSION_TOMBSTONES_H_
