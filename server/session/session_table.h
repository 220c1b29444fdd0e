// All open sessions, and what became of those that are gone.
#ifndef GWM_SERVER_SESSION_SESSION_TABLE_H_
#define GWM_SERVER_SESSION_SESSION_TABLE_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "server/base/clock.h"
#include "server/base/random_source.h"
#include "server/session/session.h"
#include "server/session/tombstones.h"

namespace gwm::server {

// Memory in units of one state.
struct Room {
  uint32_t envs = 0;
  uint32_t kept = 0;  // states beside those of environments
};

struct SessionTableOptions {
  std::string instance_id;  // prefix of every id: 16 hex digits
  uint32_t max_sessions = 256;
  uint64_t max_envs = 256;         // of all sessions together
  uint64_t max_state_bytes = 256;  // of all sessions together
  uint64_t state_bytes = 1;        // that one environment or kept state sets aside
  uint32_t max_kept_states = 256;  // of one session
  size_t max_tombstones = 10'000;
  absl::Duration tombstone_ttl = absl::Hours(1);
  const Clock* clock = nullptr;  // outlives the table
  RandomSource random;
  // Called after a session left the table; optional.
  std::function<void(CloseReason, absl::Duration lifetime)> on_close;
};

// Thread-safe. Ids are "<instance>-<32 hex digits>", so that an id of an earlier process is
// recognised.
class SessionTable {
 public:
  explicit SessionTable(SessionTableOptions options);
  // Closes every session.
  ~SessionTable();

  // ResourceExhausted / QUOTA when there is no room, even after evicting what may be evicted.
  absl::StatusOr<SessionUse> Create(SessionConfig config) ABSL_LOCKS_EXCLUDED(mutex_);

  // NotFound / UNKNOWN, EXPIRED, EVICTED or SERVER_RESTARTED; FailedPrecondition / CLOSED.
  absl::StatusOr<SessionUse> Find(const std::string& id) ABSL_LOCKS_EXCLUDED(mutex_);

  // OK also when it was closed before; else as Find.
  absl::Status Close(const std::string& id) ABSL_LOCKS_EXCLUDED(mutex_);

  // Ends every session whose lease ran out. Returns how many.
  int ReapExpired() ABSL_LOCKS_EXCLUDED(mutex_);

  // Sets room aside for an open session that grows. ResourceExhausted / QUOTA; NotFound or
  // FailedPrecondition as Find when it is gone.
  absl::Status Reserve(const Session& session, Room room) ABSL_LOCKS_EXCLUDED(mutex_);
  // Gives room back that Reserve set aside; nothing when the session is gone, and its room with it.
  void Unreserve(const Session& session, Room room) ABSL_LOCKS_EXCLUDED(mutex_);

  // Up to `count` sessions of this client with ids greater than `after`, in the order of ids.
  std::vector<std::shared_ptr<const Session>> List(const std::string& client_id,
                                                   const std::string& after, size_t count) const
      ABSL_LOCKS_EXCLUDED(mutex_);

  struct Counts {
    uint32_t sessions = 0;
    uint64_t envs = 0;
    uint64_t state_bytes = 0;  // set aside
  };
  Counts counts() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Entry {
    std::shared_ptr<Session> session;
    Room room;
  };
  using Map = std::map<std::string, Entry>;
  std::string NewId() const;
  struct Use {
    size_t sessions = 0;
    uint64_t envs = 0;
    uint64_t kept = 0;
  };
  // Why `room` does not fit beside `use`; OK when it does.
  absl::Status CheckRoom(const Use& use, Room room) const;
  // The same for another session.
  absl::Status CheckSession(const Use& use, uint32_t num_envs) const;
  // Takes out as many evictable sessions, idle longest first, as make room; none when all of them
  // would not.
  std::vector<std::shared_ptr<Session>> EvictFor(uint32_t num_envs)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void End(const std::vector<std::shared_ptr<Session>>& sessions, CloseReason reason) const
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Takes the session out of the table and leaves a tombstone.
  std::shared_ptr<Session> Remove(Map::iterator entry, CloseReason reason)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status MissingError(const std::string& id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const SessionTableOptions options_;
  mutable absl::Mutex mutex_;
  Map sessions_ ABSL_GUARDED_BY(mutex_);
  Use use_ ABSL_GUARDED_BY(mutex_);
  Tombstones tombstones_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace gwm::server

#endif  // GWM_SERVER_SESSION_SESSION_TABLE_H_
