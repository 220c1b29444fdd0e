#include "server/session/session_table.h"

#include <algorithm>
#include <cctype>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "server/base/error.h"

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

SessionTable::SessionTable(SessionTableOptions options) : options_(std::move(options)) {}

SessionTable::~SessionTable() {
  std::vector<std::shared_ptr<Session>> left;
  {
    absl::MutexLock lock(&mutex_);
    while (!sessions_.empty()) left.push_back(Remove(sessions_.begin(), CloseReason::kShutdown));
  }
  for (const auto& session : left) {
    session->Close();
    Finish(*session, CloseReason::kShutdown);
  }
}

std::string SessionTable::NewId() const {
  return absl::StrFormat("%s-%016x%016x", options_.instance_id, options_.random(),
                         options_.random());
}

absl::StatusOr<SessionUse> SessionTable::Create(SessionConfig config) {
  ReapExpired();
  absl::MutexLock lock(&mutex_);
  if (sessions_.size() >= options_.max_sessions) {
    return QuotaError(absl::StrCat("all ", options_.max_sessions, " sessions are in use"));
  }
  if (config.num_envs > options_.max_envs - envs_) {
    return QuotaError(absl::StrCat("num_envs ", config.num_envs, " does not fit: ", envs_, " of ",
                                   options_.max_envs, " environments are in use"));
  }
  envs_ += config.num_envs;
  auto session = std::make_shared<Session>(NewId(), config, options_.clock->Now());
  sessions_.emplace(session->id(), session);
  return SessionUse(std::move(session), options_.clock);
}

absl::StatusOr<SessionUse> SessionTable::Find(const std::string& id) {
  std::shared_ptr<Session> expired;
  {
    absl::MutexLock lock(&mutex_);
    const auto entry = sessions_.find(id);
    if (entry == sessions_.end()) return MissingError(id);
    if (!entry->second->ExpiredAt(options_.clock->Now())) {
      return SessionUse(entry->second, options_.clock);
    }
    expired = Remove(entry, CloseReason::kExpired);
  }
  expired->Close();
  Finish(*expired, CloseReason::kExpired);
  absl::MutexLock lock(&mutex_);
  return MissingError(id);
}

absl::Status SessionTable::Close(const std::string& id) {
  std::shared_ptr<Session> closed;
  {
    absl::MutexLock lock(&mutex_);
    const auto entry = sessions_.find(id);
    if (entry == sessions_.end()) {
      const auto tombstone = tombstones_.find(id);
      const bool closed_before =
          tombstone != tombstones_.end() && tombstone->second == CloseReason::kClient;
      return closed_before ? absl::OkStatus() : MissingError(id);
    }
    closed = Remove(entry, CloseReason::kClient);
  }
  closed->Close();
  Finish(*closed, CloseReason::kClient);
  return absl::OkStatus();
}

int SessionTable::ReapExpired() {
  std::vector<std::shared_ptr<Session>> expired;
  {
    absl::MutexLock lock(&mutex_);
    const absl::Time now = options_.clock->Now();
    for (auto entry = sessions_.begin(); entry != sessions_.end();) {
      const auto here = entry++;
      if (here->second->ExpiredAt(now)) expired.push_back(Remove(here, CloseReason::kExpired));
    }
  }
  for (const auto& session : expired) {
    session->Close();
    Finish(*session, CloseReason::kExpired);
  }
  return static_cast<int>(expired.size());
}

SessionTable::Counts SessionTable::counts() const {
  absl::MutexLock lock(&mutex_);
  return {.sessions = static_cast<uint32_t>(sessions_.size()), .envs = envs_};
}

std::shared_ptr<Session> SessionTable::Remove(Map::iterator entry, CloseReason reason) {
  auto session = std::move(entry->second);
  envs_ -= session->config().num_envs;
  tombstones_[session->id()] = reason;
  tombstone_order_.push_back(session->id());
  if (tombstone_order_.size() > options_.max_tombstones) {
    tombstones_.erase(tombstone_order_.front());
    tombstone_order_.pop_front();
  }
  sessions_.erase(entry);
  return session;
}

absl::Status SessionTable::MissingError(const std::string& id) const {
  if (const auto tombstone = tombstones_.find(id); tombstone != tombstones_.end()) {
    if (tombstone->second == CloseReason::kExpired) {
      return NotFound(kExpired, "the session's lease ran out");
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

void SessionTable::Finish(const Session& session, CloseReason reason) const {
  if (options_.on_close) options_.on_close(reason, options_.clock->Now() - session.created_at());
}

}  // namespace gwm::server
