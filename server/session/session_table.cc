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

absl::Status QuotaError(const std::string& message) {
  return MakeError(absl::StatusCode::kResourceExhausted, message,
                   {.reason = std::string(kQuota), .retry_after = absl::Seconds(1)});
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

absl::Status SessionTable::CheckSession(const Use& use, uint32_t num_envs) const {
  if (use.sessions >= options_.max_sessions) {
    return QuotaError(absl::StrCat("all ", options_.max_sessions, " sessions are in use"));
  }
  return CheckRoom(use, {.envs = num_envs});
}

absl::Status SessionTable::CheckRoom(const Use& use, Room room) const {
  if (use.envs + room.envs > options_.max_envs) {
    return QuotaError(absl::StrCat("num_envs ", room.envs, " does not fit: ", use.envs, " of ",
                                   options_.max_envs, " environments are in use"));
  }
  const uint64_t states = use.envs + use.kept;
  if ((states + room.envs + room.kept) * options_.state_bytes > options_.max_state_bytes) {
    return QuotaError(absl::StrCat(room.envs + room.kept, " states of ", options_.state_bytes,
                                   " bytes do not fit: ", states * options_.state_bytes, " of ",
                                   options_.max_state_bytes, " bytes are set aside"));
  }
  return absl::OkStatus();
}

absl::Status SessionTable::Reserve(const Session& session, Room room) {
  absl::MutexLock lock(&mutex_);
  const auto entry = sessions_.find(session.id());
  if (entry == sessions_.end()) return MissingError(session.id());
  Room& own = entry->second.room;
  if (room.kept > 0 && own.kept + room.kept > options_.max_kept_states) {
    return QuotaError(absl::StrCat("the session keeps ", own.kept, " states; max_kept_states = ",
                                   options_.max_kept_states, " are allowed"));
  }
  RETURN_IF_ERROR(CheckRoom(use_, room));
  own.envs += room.envs;
  own.kept += room.kept;
  use_.envs += room.envs;
  use_.kept += room.kept;
  return absl::OkStatus();
}

void SessionTable::Unreserve(const Session& session, Room room) {
  absl::MutexLock lock(&mutex_);
  const auto entry = sessions_.find(session.id());
  if (entry == sessions_.end()) return;
  entry->second.room.envs -= room.envs;
  entry->second.room.kept -= room.kept;
  use_.envs -= room.envs;
  use_.kept -= room.kept;
}

std::vector<std::shared_ptr<Session>> SessionTable::EvictFor(uint32_t num_envs) {
  std::vector<std::pair<absl::Time, Map::iterator>> idle;
  Use left = use_;
  for (auto entry = sessions_.begin(); entry != sessions_.end(); ++entry) {
    const auto& [session, room] = entry->second;
    const auto since = session->IdleSince();
    if (!session->config().evictable || !since.has_value()) continue;
    idle.emplace_back(*since, entry);
    --left.sessions;
    left.envs -= room.envs;
    left.kept -= room.kept;
  }
  std::vector<std::shared_ptr<Session>> evicted;
  if (!CheckSession(left, num_envs).ok()) return evicted;
  std::sort(idle.begin(), idle.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  for (const auto& [since, entry] : idle) {
    if (CheckSession(use_, num_envs).ok()) break;
    evicted.push_back(Remove(entry, CloseReason::kEvicted));
  }
  return evicted;
}

absl::StatusOr<SessionUse> SessionTable::Create(SessionConfig config) {
  ReapExpired();
  std::vector<std::shared_ptr<Session>> evicted;
  std::shared_ptr<Session> session;
  {
    absl::MutexLock lock(&mutex_);
    evicted = EvictFor(config.num_envs);
    RETURN_IF_ERROR(CheckSession(use_, config.num_envs));
    const Room room{.envs = config.num_envs};
    ++use_.sessions;
    use_.envs += room.envs;
    session = std::make_shared<Session>(NewId(), std::move(config), options_.clock->Now());
    sessions_.emplace(session->id(), Entry{session, room});
  }
  SessionUse created(std::move(session), options_.clock);
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
  return {.sessions = static_cast<uint32_t>(use_.sessions),
          .envs = use_.envs,
          .state_bytes = (use_.envs + use_.kept) * options_.state_bytes};
}

std::shared_ptr<Session> SessionTable::Remove(Map::iterator entry, CloseReason reason) {
  auto session = std::move(entry->second.session);
  --use_.sessions;
  use_.envs -= entry->second.room.envs;
  use_.kept -= entry->second.room.kept;
  tombstones_.Put(session->id(), reason, options_.clock->Now());
  sessions_.erase(entry);
  return session;
}

absl::Status SessionTable::MissingError(const std::string& id) {
  if (const auto reason = tombstones_.Find(id, options_.clock->Now()); reason.has_value()) {
    if (*reason == CloseReason::kExpired) return NotFound(kExpired, "the session's lease ran out");
    if (*reason == CloseReason::kEvicted) {
      return NotFound(kEvicted, "the session was evictable and made room for another one");
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
