// The open reply streams, looked at regularly: do their readers read?
#ifndef GWM_SERVER_RPC_STREAM_WATCH_H_
#define GWM_SERVER_RPC_STREAM_WATCH_H_

#include <memory>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace gwm::server {

// A stream whose reader may be slow. Thread-safe.
class WatchedStream {
 public:
  virtual ~WatchedStream() = default;
  // Called regularly: ends the stream when its reader has left a message unread for too long.
  virtual void CheckReader(absl::Time now) = 0;
};

// Thread-safe.
class StreamWatch {
 public:
  void Add(std::weak_ptr<WatchedStream> stream) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    std::erase_if(streams_, [](const auto& one) { return one.expired(); });
    streams_.push_back(std::move(stream));
  }
  void Check(absl::Time now) const ABSL_LOCKS_EXCLUDED(mutex_) {
    // Out of the lock: a stream that ends may be the last to hold many things.
    for (const auto& weak : Copy()) {
      if (const auto stream = weak.lock(); stream != nullptr) stream->CheckReader(now);
    }
  }

 private:
  std::vector<std::weak_ptr<WatchedStream>> Copy() const ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    return streams_;
  }

  mutable absl::Mutex mutex_;
  std::vector<std::weak_ptr<WatchedStream>> streams_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace gwm::server

#endif  // GWM_SERVER_RPC_STREAM_WATCH_H_
