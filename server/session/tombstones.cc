#include "server/session/tombstones.h"

namespace gwm::server {

void Tombstones::Put(const std::string& id, CloseReason reason, absl::Time now) {
  reasons_[id] = reason;
  deaths_.push_back({id, now});
  Forget(now);
}

std::optional<CloseReason> Tombstones::Find(const std::string& id, absl::Time now) {
  Forget(now);
  const auto found = reasons_.find(id);
  if (found == reasons_.end()) return std::nullopt;
  return found->second;
}

void Tombstones::Forget(absl::Time now) {
  while (!deaths_.empty() && (deaths_.size() > max_count_ || now >= deaths_.front().at + life_)) {
    reasons_.erase(deaths_.front().id);
    deaths_.pop_front();
  }
}

}  // namespace gwm::server
