// All open sessions, and what became of those that are gone.
#ifndef GWM_SERVER_SESSION_SESSION_TABLE_H_
#define GWM_SERVER_SESSION_SESSION_TABLE_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "server/base/clock.h"
#include "server/base/random_source.h"
#include "server/session/room.h"
#include "server/session/session.h"
#include "server/session/tombstones.h"

namespace gwm::server {

enum class Moved { kToHost, kToPool };

// What somebody wants to have beside what a world's sessions have set aside.
struct Need {
  const ServedWorld* world = nullptr;
  Room room;
  uint32_t sessions = 0;
};

struct SessionTableOptions {
  std::string instance_id;  // prefix of every id: 16 hex digits
  uint32_t max_sessions = 256;
  RoomLimits room;                               // of the sessions of one world together
  uint64_t max_spill_bytes = uint64_t{1} << 30;  // of states in host memory
  uint32_t max_kept_states = 256;                // of one session
  size_t max_tombstones = 10'000;
  absl::Duration tombstone_ttl = absl::Hours(1);
  const Clock* clock = nullptr;  // outlives the table
  RandomSource random;
  // Called after a session was made; optional.
  std::function<void()> on_open;
  // Called after a session left the table; optional.
  std::function<void(CloseReason, absl::Duration lifetime)> on_close;
  // Called after a session's states moved; optional.
  std::function<void(Moved)> on_moved;
};

// Thread-safe. Ids are "<instance>-<32 hex digits>", so that an id of an earlier process is
// recognised.
class SessionTable {
 public:
  explicit SessionTable(SessionTableOptions options);
  // Closes every session.
  ~SessionTable();

  // ResourceExhausted / QUOTA when there is no room, even after evicting what may be evicted.
  // FailedPrecondition / MODEL_DRAINING when the world takes no sessions. Requires config.world.
  // What FindMade returns, if anything.
  absl::StatusOr<SessionUse> Create(SessionConfig config) ABSL_LOCKS_EXCLUDED(mutex_);
  // The open session that the call config.creation of config.client_id made; absent: none, or the
  // call has no name. Aborted / STEP_CONFLICT: the name is that of another call.
  absl::StatusOr<std::optional<SessionUse>> FindMade(const SessionConfig& config)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // NotFound / UNKNOWN, EXPIRED, EVICTED or SERVER_RESTARTED; FailedPrecondition / CLOSED.
  absl::StatusOr<SessionUse> Find(const std::string& id) ABSL_LOCKS_EXCLUDED(mutex_);

  // OK also when it was closed before; else as Find.
  absl::Status Close(const std::string& id) ABSL_LOCKS_EXCLUDED(mutex_);

  // No more sessions on this world, if there are none, or even if there are some. Whether it holds.
  bool StopTaking(const ServedWorld& world, bool even_in_use) ABSL_LOCKS_EXCLUDED(mutex_);
  // Ends all sessions on this world.
  void EndAll(const ServedWorld& world, CloseReason reason) ABSL_LOCKS_EXCLUDED(mutex_);

  // Ends every session whose lease ran out. Returns how many.
  int ReapExpired() ABSL_LOCKS_EXCLUDED(mutex_);

  // Sets room aside for an open session that grows. ResourceExhausted / QUOTA; NotFound or
  // FailedPrecondition as Find when it is gone.
  absl::Status Reserve(const Session& session, Room room) ABSL_LOCKS_EXCLUDED(mutex_);
  // Gives room back that Reserve set aside; nothing when the session is gone, and its room with it.
  void Unreserve(const Session& session, Room room) ABSL_LOCKS_EXCLUDED(mutex_);

  // --- states that wait in host memory; what moves them is work/spill.h ---

  bool HasRoom(const Need& need) const ABSL_LOCKS_EXCLUDED(mutex_);
  // Whether there is room for `need`, or would be once idle sessions that allow it have given way.
  bool CouldHaveRoom(const Need& need) const ABSL_LOCKS_EXCLUDED(mutex_);
  // The next session to spill so that the room of `need` fits: idle longest, of the same world, and
  // none of `tried`. Null: there is none, or all of them together, with those that may be evicted,
  // would not do.
  std::shared_ptr<Session> NextToSpill(const Need& need, const std::set<std::string>& tried) const
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Session::MoveToHost, with its room given back and `bytes` of host memory set aside. False,
  // changing nothing: it is in use, gone, or does not fit into max_spill_bytes.
  bool MoveToHost(Session& session, const std::map<const WorldState*, HostState>& copies,
                  uint64_t bytes) ABSL_LOCKS_EXCLUDED(mutex_);
  // Sets the room of a spilled session aside again, ending evictable ones if need be. Errors as
  // Reserve.
  absl::Status ReserveReturn(const Session& session) ABSL_LOCKS_EXCLUDED(mutex_);
  // After ReserveReturn: gives that room back, since the states stay where they are; or
  void CancelReturn(const Session& session) ABSL_LOCKS_EXCLUDED(mutex_);
  // Session::MoveToPool, and gives the host memory back. FailedPrecondition / CLOSED.
  absl::Status MoveToPool(Session& session, const std::map<const StateTensors*, StatePtr>& copies)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Up to `count` sessions of this client with ids greater than `after`, in the order of ids.
  std::vector<std::shared_ptr<const Session>> List(const std::string& client_id,
                                                   const std::string& after, size_t count) const
      ABSL_LOCKS_EXCLUDED(mutex_);

  struct Counts {
    uint32_t sessions = 0;
    uint64_t envs = 0;
    uint64_t state_bytes = 0;    // set aside
    uint64_t spilled_bytes = 0;  // in host memory; of all worlds
  };
  Counts counts() const ABSL_LOCKS_EXCLUDED(mutex_);
  Counts counts_on(const ServedWorld& world) const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Entry {
    std::shared_ptr<Session> session;
    Room room;
    bool in_pool = true;      // `room` is set aside in the pool
    uint64_t host_bytes = 0;  // of its states, when spilled
  };
  using Map = std::map<std::string, Entry>;
  using Made = std::map<std::pair<std::string, std::string>, std::shared_ptr<Session>>;
  absl::StatusOr<std::shared_ptr<Session>> SessionMadeBy(const SessionConfig& config) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::string NewId() const;
  // What is taken of the table and of one world's pool: now, or once some have given way.
  struct Occupancy {
    size_t sessions = 0;
    RoomUse use;
    const ServedWorld* world = nullptr;

    bool Counts(const Entry& entry) const {
      return entry.in_pool && entry.session->world().get() == world;
    }
    void MoveOut(const Entry& entry) {
      if (Counts(entry)) use.Remove(entry.room);
    }
    void Leave(const Entry& entry) {
      --sessions;
      MoveOut(entry);
    }
  };
  Occupancy OccupancyOf(const ServedWorld& world) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Why `need` does not fit beside what is taken of its world.
  absl::Status CheckNeed(const Occupancy& taken, const Need& need) const;
  absl::Status CheckNeed(const Need& need) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Takes out as many evictable sessions, idle longest first, as make room for `need`; none when
  // all of them would not.
  std::vector<std::shared_ptr<Session>> EvictFor(const Need& need)
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
  Made made_ ABSL_GUARDED_BY(mutex_);  // open ones, by client and name of the call
  std::map<const ServedWorld*, RoomUse> use_ ABSL_GUARDED_BY(mutex_);  // of worlds with sessions
  uint64_t host_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  Tombstones tombstones_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace gwm::server

#endif  // GWM_SERVER_SESSION_SESSION_TABLE_H_
