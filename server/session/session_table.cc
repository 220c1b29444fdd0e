#include "server/session/session_table.h"

#include <algorithm>
#include <cctype>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "server/base/error.h"
#include "server/base/status.h"
#include "server/session/replay_log.h"

namespace gwm::server {
namespace {

constexpr size_t kInstanceDigits = 16;
constexpr size_t kSessionDigits = 32;

bool IsHex(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](unsigned char c) { return std::isxdigit(c) != 0; });
}

// Whether some server process could have given out this id.
bool LooksLikeAnId(std::string_view id) {
  return id.size() == kInstanceDigits + 1 + kSessionDigits && id[kInstanceDigits] == '-' &&
         IsHex(id.substr(0, kInstanceDigits)) && IsHex(id.substr(kInstanceDigits + 1));
}

absl::Status NotFound(std::string_view reason, std::string_view message) {
  return MakeError(absl::StatusCode::kNotFound, message,
                   {.reason = std::string(reason), .field = "session_id"});
}

absl::Status UnloadingError() {
  return MakeError(absl::StatusCode::kFailedPrecondition,
                   "the model is being unloaded and takes no sessions any more",
                   {.reason = std::string(kModelDraining), .field = "checkpoint_digest"});
}

}  // namespace

SessionTable::SessionTable(SessionTableOptions options)
    : options_(std::move(options)), tombstones_(options_.max_tombstones, options_.tombstone_ttl) {}

SessionTable::~SessionTable() {
  std::vector<std::shared_ptr<Session>> left;
  {
    absl::MutexLock lock(&mutex_);
    while (!sessions_.empty()) left.push_back(Remove(sessions_.begin(), CloseReason::kShutdown));
  }
  End(left, CloseReason::kShutdown);
}

std::string SessionTable::NewId() const {
  return absl::StrFormat("%s-%016x%016x", options_.instance_id, options_.random(),
                         options_.random());
}

absl::StatusOr<std::shared_ptr<Session>> SessionTable::SessionMadeBy(
    const SessionConfig& config) const {
  if (!config.creation.has_value()) return std::shared_ptr<Session>();
  const auto found = made_.find({config.client_id, config.creation->request_id});
  if (found == made_.end()) return std::shared_ptr<Session>();
  if (found->second->config().creation->fingerprint == config.creation->fingerprint) {
    return found->second;
  }
  return NameTaken(config.creation->request_id);
}

absl::StatusOr<std::optional<SessionUse>> SessionTable::FindMade(const SessionConfig& config) {
  ReapExpired();
  absl::MutexLock lock(&mutex_);
  ASSIGN_OR_RETURN(std::shared_ptr<Session> session, SessionMadeBy(config));
  std::optional<SessionUse> made;
  if (session != nullptr) made.emplace(std::move(session), options_.clock);
  return made;
}

absl::StatusOr<SessionUse> SessionTable::Create(SessionConfig config) {
  ReapExpired();
  std::vector<std::shared_ptr<Session>> evicted;
  std::shared_ptr<Session> session;
  {
    absl::MutexLock lock(&mutex_);
    ASSIGN_OR_RETURN(std::shared_ptr<Session> made, SessionMadeBy(config));
    if (made != nullptr) return SessionUse(std::move(made), options_.clock);
    if (!config.world->takes_sessions()) return UnloadingError();
    const Room room{.envs = config.num_envs};
    const Need need{.world = config.world.get(), .room = room, .sessions = 1};
    evicted = EvictFor(need);
    RETURN_IF_ERROR(CheckNeed(need));
    RoomUse& use = use_[config.world.get()];
    ++use.sessions;
    use.Add(room);
    session = std::make_shared<Session>(NewId(), std::move(config), options_.clock->Now());
    sessions_.emplace(session->id(), Entry{.session = session, .room = room});
    const SessionConfig& its = session->config();
    if (its.creation.has_value()) made_[{its.client_id, its.creation->request_id}] = session;
  }
  SessionUse created(std::move(session), options_.clock);
  if (options_.on_open) options_.on_open();
  End(evicted, CloseReason::kEvicted);
  return created;
}

absl::StatusOr<SessionUse> SessionTable::Find(const std::string& id) {
  std::shared_ptr<Session> expired;
  {
    absl::MutexLock lock(&mutex_);
    const auto entry = sessions_.find(id);
    if (entry == sessions_.end()) return MissingError(id);
    if (!entry->second.session->ExpiredAt(options_.clock->Now())) {
      return SessionUse(entry->second.session, options_.clock);
    }
    expired = Remove(entry, CloseReason::kExpired);
  }
  End({expired}, CloseReason::kExpired);
  absl::MutexLock lock(&mutex_);
  return MissingError(id);
}

absl::Status SessionTable::Close(const std::string& id) {
  std::shared_ptr<Session> closed;
  {
    absl::MutexLock lock(&mutex_);
    const auto entry = sessions_.find(id);
    if (entry == sessions_.end()) {
      const bool closed_before =
          tombstones_.Find(id, options_.clock->Now()) == CloseReason::kClient;
      return closed_before ? absl::OkStatus() : MissingError(id);
    }
    closed = Remove(entry, CloseReason::kClient);
  }
  End({closed}, CloseReason::kClient);
  return absl::OkStatus();
}

int SessionTable::ReapExpired() {
  std::vector<std::shared_ptr<Session>> expired;
  {
    absl::MutexLock lock(&mutex_);
    const absl::Time now = options_.clock->Now();
    for (auto entry = sessions_.begin(); entry != sessions_.end();) {
      const auto here = entry++;
      if (here->second.session->ExpiredAt(now))
        expired.push_back(Remove(here, CloseReason::kExpired));
    }
  }
  End(expired, CloseReason::kExpired);
  return static_cast<int>(expired.size());
}

std::vector<std::shared_ptr<const Session>> SessionTable::List(const std::string& client_id,
                                                               const std::string& after,
                                                               size_t count) const {
  std::vector<std::shared_ptr<const Session>> found;
  absl::MutexLock lock(&mutex_);
  const absl::Time now = options_.clock->Now();
  for (auto entry = sessions_.upper_bound(after); entry != sessions_.end() && found.size() < count;
       ++entry) {
    const Session& session = *entry->second.session;
    if (session.config().client_id == client_id && !session.ExpiredAt(now)) {
      found.push_back(entry->second.session);
    }
  }
  return found;
}

SessionTable::Counts SessionTable::counts() const {
  absl::MutexLock lock(&mutex_);
  Counts counts;
  for (const auto& [world, use] : use_) {
    counts.sessions += use.sessions;
    counts.envs += use.envs;
    counts.state_bytes += StateBytes(world->spec(), use.envs + use.kept);
  }
  counts.spilled_bytes = host_bytes_;
  return counts;
}

SessionTable::Counts SessionTable::counts_on(const ServedWorld& world) const {
  absl::MutexLock lock(&mutex_);
  const RoomUse use = OccupancyOf(world).use;
  return {.sessions = use.sessions,
          .envs = use.envs,
          .state_bytes = StateBytes(world.spec(), use.envs + use.kept)};
}

bool SessionTable::StopTaking(const ServedWorld& world, bool even_in_use) {
  absl::MutexLock lock(&mutex_);
  if (!even_in_use && OccupancyOf(world).use.sessions > 0) return false;
  world.TakeSessions(false);
  return true;
}

void SessionTable::EndAll(const ServedWorld& world, CloseReason reason) {
  std::vector<std::shared_ptr<Session>> ended;
  {
    absl::MutexLock lock(&mutex_);
    for (auto entry = sessions_.begin(); entry != sessions_.end();) {
      const auto here = entry++;
      if (here->second.session->world().get() == &world) ended.push_back(Remove(here, reason));
    }
  }
  End(ended, reason);
}

std::shared_ptr<Session> SessionTable::Remove(Map::iterator entry, CloseReason reason) {
  auto session = std::move(entry->second.session);
  const auto use = use_.find(session->world().get());
  if (entry->second.in_pool) use->second.Remove(entry->second.room);
  host_bytes_ -= entry->second.host_bytes;
  if (--use->second.sessions == 0) use_.erase(use);
  tombstones_.Put(session->id(), reason, options_.clock->Now());
  sessions_.erase(entry);
  const SessionConfig& config = session->config();
  if (config.creation.has_value()) made_.erase({config.client_id, config.creation->request_id});
  return session;
}

absl::Status SessionTable::MissingError(const std::string& id) {
  if (const auto reason = tombstones_.Find(id, options_.clock->Now()); reason.has_value()) {
    if (*reason == CloseReason::kExpired) return NotFound(kExpired, "the session's lease ran out");
    if (*reason == CloseReason::kEvicted) {
      return NotFound(kEvicted, "the session was evictable and made room for another one");
    }
    if (*reason == CloseReason::kModelUnloaded) {
      return NotFound(kModelUnloaded, "the session's model was unloaded; create a new session");
    }
    return MakeError(absl::StatusCode::kFailedPrecondition, "the session is closed",
                     {.reason = std::string(kClosed), .field = "session_id"});
  }
  if (LooksLikeAnId(id) && !absl::StartsWith(id, options_.instance_id)) {
    return NotFound(kServerRestarted,
                    "the session belonged to an earlier server process; create a new one");
  }
  return NotFound(kUnknown, absl::StrCat("no session has the id ", Quoted(id)));
}

void SessionTable::End(const std::vector<std::shared_ptr<Session>>& sessions,
                       CloseReason reason) const {
  for (const auto& session : sessions) {
    session->Close();
    if (options_.on_close) {
      options_.on_close(reason, options_.clock->Now() - session->created_at());
    }
  }
}

}  // namespace gwm::server
