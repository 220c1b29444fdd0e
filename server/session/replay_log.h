// Exactly once: what a session answered to its last calls, so that a call that comes again because
// its reply got lost is answered again instead of being carried out again.
#ifndef GWM_SERVER_SESSION_REPLAY_LOG_H_
#define GWM_SERVER_SESSION_REPLAY_LOG_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace gwm::server {

// A call by the name that its client gave it. Equal keys: the same call.
struct ReplayKey {
  std::string request_id;   // not empty
  std::string fingerprint;  // of the whole request
};

// Aborted / STEP_CONFLICT: the name of the call belongs to a call with other contents.
absl::Status NameTaken(std::string_view request_id);

// What was answered. Immutable; the log does not look inside.
class StoredReply {
 public:
  virtual ~StoredReply() = default;
  virtual size_t bytes() const = 0;
};
using StoredReplyPtr = std::shared_ptr<const StoredReply>;

struct Answered {
  ReplayKey key;
  StoredReplyPtr reply;
};

// Thread-compatible. Keeps the last reply of each environment; replies of one log concern disjoint
// sets of environments, because a client that goes on with an environment has seen its last reply.
class ReplayLog {
 public:
  // Replies of `max_bytes` together; the oldest make room first.
  explicit ReplayLog(uint64_t max_bytes) : max_bytes_(max_bytes) {}

  // The reply of this call; null: the session knows no call of this name. Aborted / STEP_CONFLICT:
  // the name is that of another call, or the reply is not kept any more.
  absl::StatusOr<StoredReplyPtr> Find(const ReplayKey& key) const;

  // A call changed these environments: earlier replies for them go.
  void Forget(std::span<const uint32_t> env_ids);
  // Forget, and keep the reply of the call.
  void Keep(std::span<const uint32_t> env_ids, Answered answered);

  uint64_t bytes() const { return bytes_; }

 private:
  struct Entry {
    ReplayKey key;
    StoredReplyPtr reply;
    std::vector<uint32_t> env_ids;
  };
  using Entries = std::list<Entry>;
  void Drop(Entries::iterator entry);

  uint64_t max_bytes_;
  uint64_t bytes_ = 0;
  Entries entries_;  // the oldest first
  std::map<uint32_t, Entries::iterator> by_env_;
  std::map<std::string, Entries::iterator> by_id_;
  // Names of calls whose replies are gone, so that one that was under way for long is not carried
  // out again.
  std::deque<std::string> spent_;
};

}  // namespace gwm::server

#endif  // GWM_SERVER_SESSION_REPLAY_LOG_H_
