// The most that training takes of the device while others want it too. (The least is
// schedule/order.h's.)
//
// After a piece of training that took t, the others may use the device for t * (1 - share) / share
// before the next piece; once they have been quiet for a while training need not wait for them.
// That counts a client that steps in a closed loop as wanting the device between its steps, too.
#ifndef GWM_SERVER_TRAINING_SHARE_LIMITER_H_
#define GWM_SERVER_TRAINING_SHARE_LIMITER_H_

#include <algorithm>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace gwm::server {

// Thread-safe: the device thread tells what ran, jobs ask.
class ShareLimiter {
 public:
  // quiet: others that have not used the device for so long do not want it.
  explicit ShareLimiter(absl::Duration quiet = absl::Milliseconds(200)) : quiet_(quiet) {}

  void OthersRan(absl::Time end, absl::Duration busy) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    others_ran_at_ = std::max(others_ran_at_, end);
    silent_since_ = std::max(silent_since_, end);
    owed_ = std::max(owed_ - busy, absl::ZeroDuration());
  }
  // share: above 0, up to 1.
  void TrainingRan(absl::Time begin, absl::Duration busy, double share)
      ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    if (begin - others_ran_at_ >= quiet_) return;  // held against nobody
    owed_ += busy * ((1 - share) / share);
    // They could not run meanwhile, so their silence begins only now.
    silent_since_ = std::max(silent_since_, begin + busy);
  }
  // How long a piece of training should still wait unless others run before; zero: it may go.
  absl::Duration Wait(absl::Time now) const ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    if (now - silent_since_ >= quiet_) owed_ = absl::ZeroDuration();
    return owed_ == absl::ZeroDuration() ? owed_ : quiet_ - (now - silent_since_);
  }

 private:
  const absl::Duration quiet_;
  mutable absl::Mutex mutex_;
  mutable absl::Duration owed_ ABSL_GUARDED_BY(mutex_);  // device time of others
  absl::Time others_ran_at_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  absl::Time silent_since_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
};

}  // namespace gwm::server

#endif  // GWM_SERVER_TRAINING_SHARE_LIMITER_H_
