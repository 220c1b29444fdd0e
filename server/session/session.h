// A session: its settings, its environments, its lease.
#ifndef GWM_SERVER_SESSION_SESSION_H_
#define GWM_SERVER_SESSION_SESSION_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "engine/api/world.h"
#include "server/base/clock.h"
#include "server/base/served_world.h"
#include "server/session/lease.h"
#include "server/session/observation.h"
#include "server/session/replay_log.h"

namespace gwm::server {

enum class AutoReset { kNone, kNextStep, kSameStep };

struct SessionConfig {
  WorldHandle world;      // that it runs on, until its end
  uint32_t num_envs = 1;  // at first; a fork may add more
  uint64_t seed = 0;
  StepOptions sampler;  // nothing left open
  ObservationSet observations = 0;
  absl::Duration idle_ttl = absl::Seconds(300);
  absl::Duration max_lifetime = absl::Hours(24);
  uint32_t max_episode_steps = 0;  // 0: episodes are never truncated
  float max_expected_error = 0;    // beyond it an episode is truncated; 0: never
  AutoReset auto_reset = AutoReset::kNone;
  uint64_t max_replay_bytes = 0;  // of replies kept for repeated calls
  std::string client_id;          // whose it is; empty: nobody's
  // The call that makes it, by its name among the client's; absent: it will not be repeated.
  std::optional<ReplayKey> creation;
  bool evictable = false;  // may be ended to make room for another session
  bool spillable = false;  // its states may wait in host memory while it is idle
};

enum class EnvPhase { kNeedsReset, kRunning, kDone, kFailed };

using HostState = std::shared_ptr<const StateTensors>;

struct Env {
  EnvPhase phase = EnvPhase::kNeedsReset;
  StatePtr state;        // set while running or done, unless the session is spilled:
  HostState host_state;  // then this is
  uint64_t seed = 0;
  // Its number in the noise: its id, unless it goes on from a state of another environment.
  uint32_t noise_env = 0;
  uint64_t resets = 0;          // since the seed was set; the current episode is resets - 1
  uint64_t steps = 0;           // in the current episode
  uint64_t real_step = 0;       // at which its state was last made of a real frame
  std::vector<Camera> cameras;  // of the frames it was reset from

  uint32_t age() const { return static_cast<uint32_t>(steps - real_step); }
  uint64_t episode() const { return resets == 0 ? 0 : resets - 1; }
};

// Thread-safe. The environments are changed by the device thread alone; others read them and may
// close the session.
class Session {
 public:
  Session(std::string id, SessionConfig config, absl::Time now);

  const std::string& id() const { return id_; }
  const SessionConfig& config() const { return config_; }
  const WorldHandle& world() const { return config_.world; }
  absl::Time created_at() const { return created_at_; }

  // Copies of the named environments. Requires env_ids < num_envs(). FailedPrecondition / CLOSED
  // once closed.
  absl::StatusOr<std::vector<Env>> Read(std::span<const uint32_t> env_ids) const
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Replaces the named environments and keeps the reply, all at once. FailedPrecondition / CLOSED,
  // changing nothing, once closed. answered: absent for a call that will not be repeated.
  absl::Status Commit(std::span<const uint32_t> env_ids, std::vector<Env> envs,
                      std::optional<Answered> answered = std::nullopt) ABSL_LOCKS_EXCLUDED(mutex_);
  // Keeps the reply of a call that changed none of these environments. Nothing once closed.
  void KeepReply(std::span<const uint32_t> env_ids, Answered answered) ABSL_LOCKS_EXCLUDED(mutex_);
  // As ReplayLog::Find, and FailedPrecondition / CLOSED once closed.
  absl::StatusOr<StoredReplyPtr> FindReply(const ReplayKey& key) const ABSL_LOCKS_EXCLUDED(mutex_);

  // Grows with Append.
  uint32_t num_envs() const ABSL_LOCKS_EXCLUDED(mutex_);
  // Adds environments; the id of the first one. FailedPrecondition / CLOSED.
  absl::StatusOr<uint32_t> Append(std::vector<Env> envs) ABSL_LOCKS_EXCLUDED(mutex_);
  // 1, 2, 3, ...: so that two forks of the same state differ.
  uint64_t NextFork() ABSL_LOCKS_EXCLUDED(mutex_);

  // Keeps a state beside the environments, under the id that is returned: "<session id>/<number>".
  // FailedPrecondition / CLOSED.
  absl::StatusOr<std::string> KeepState(Env env) ABSL_LOCKS_EXCLUDED(mutex_);
  // NotFound / UNKNOWN, FailedPrecondition / CLOSED.
  absl::StatusOr<Env> KeptState(const std::string& state_id) const ABSL_LOCKS_EXCLUDED(mutex_);
  // Whether it was there.
  bool DropState(const std::string& state_id) ABSL_LOCKS_EXCLUDED(mutex_);
  size_t kept_states() const ABSL_LOCKS_EXCLUDED(mutex_);

  // Whether its states lie in host memory. One that is in use stays where it is.
  bool spilled() const ABSL_LOCKS_EXCLUDED(mutex_);
  // Device thread. Each state once, however many environments share it.
  std::vector<StatePtr> StatesInPool() const ABSL_LOCKS_EXCLUDED(mutex_);
  std::vector<HostState> StatesOnHost() const ABSL_LOCKS_EXCLUDED(mutex_);
  // Device thread. Puts these copies of all of StatesInPool in their place. False, changing
  // nothing: a call uses the session, or it is closed.
  bool MoveToHost(const std::map<const WorldState*, HostState>& copies) ABSL_LOCKS_EXCLUDED(mutex_);
  // Device thread. The way back, of all of StatesOnHost. False, changing nothing: it is closed.
  bool MoveToPool(const std::map<const StateTensors*, StatePtr>& copies)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Gives the states back. Idempotent.
  void Close() ABSL_LOCKS_EXCLUDED(mutex_);

  void BeginUse(absl::Time now) ABSL_LOCKS_EXCLUDED(mutex_);
  void EndUse(absl::Time now) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Time ExpiresAt() const ABSL_LOCKS_EXCLUDED(mutex_);
  bool ExpiredAt(absl::Time now) const ABSL_LOCKS_EXCLUDED(mutex_);
  // Since when no call uses it; absent while one does.
  std::optional<absl::Time> IdleSince() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // Calls visit(env) for each environment and each kept state.
  template <typename Self, typename Visit>
  static void ForEachState(Self& self, Visit visit) ABSL_NO_THREAD_SAFETY_ANALYSIS;

  const std::string id_;
  const SessionConfig config_;  // its world outlives the states
  const absl::Time created_at_;
  mutable absl::Mutex mutex_;
  Lease lease_ ABSL_GUARDED_BY(mutex_);
  std::vector<Env> envs_ ABSL_GUARDED_BY(mutex_);
  ReplayLog replies_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, Env> kept_ ABSL_GUARDED_BY(mutex_);
  uint64_t kept_so_far_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t forks_ ABSL_GUARDED_BY(mutex_) = 0;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  bool spilled_ ABSL_GUARDED_BY(mutex_) = false;
};

// A call's hold on a session: the lease cannot idle out meanwhile and is renewed at both ends.
// Move-only. Shared ownership, because the reaper or a Close may drop the table's pointer while a
// call still runs.
class SessionUse {
 public:
  SessionUse(std::shared_ptr<Session> session, const Clock* clock);
  ~SessionUse();
  SessionUse(SessionUse&& other) noexcept;
  SessionUse& operator=(SessionUse&&) = delete;

  // Another hold on the same session.
  SessionUse Again() const { return {session_, clock_}; }

  // Ends the hold early: before the answer goes out, so that a client that sees it also sees its
  // lease renewed.
  void Release();

  Session& operator*() const { return *session_; }
  Session* operator->() const { return session_.get(); }

 private:
  std::shared_ptr<Session> session_;
  const Clock* clock_;  // outlives every call
};

}  // namespace gwm::server

#endif  // GWM_SERVER_SESSION_SESSION_H_
