// How long a session lives: until its last call is idle_ttl ago, and never longer than its
// lifetime.
#ifndef GWM_SERVER_SESSION_LEASE_H_
#define GWM_SERVER_SESSION_LEASE_H_

#include <algorithm>

#include "absl/time/time.h"

namespace gwm::server {

// Thread-compatible. A lease in use (a call is running) cannot idle out.
class Lease {
 public:
  Lease(absl::Duration idle_ttl, absl::Duration lifetime, absl::Time now)
      : idle_ttl_(idle_ttl), ends_at_(now + lifetime), last_used_(now) {}

  void BeginUse(absl::Time now) {
    ++users_;
    Renew(now);
  }
  void EndUse(absl::Time now) {
    --users_;
    Renew(now);
  }
  // When it ends if no call comes.
  absl::Time ExpiresAt() const { return std::min(ends_at_, last_used_ + idle_ttl_); }
  bool in_use() const { return users_ > 0; }
  absl::Time last_used() const { return last_used_; }
  bool ExpiredAt(absl::Time now) const {
    return now >= ends_at_ || (users_ == 0 && now >= last_used_ + idle_ttl_);
  }

 private:
  // A clock that is set back shortens no lease.
  void Renew(absl::Time now) { last_used_ = std::max(last_used_, now); }

  absl::Duration idle_ttl_;
  absl::Time ends_at_;
  absl::Time last_used_;
  int users_ = 0;
};

}  // namespace gwm::server

#endif  // GWM_SERVER_SESSION_LEASE_H_
