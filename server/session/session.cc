#include "server/session/session.h"

#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/error.h"

namespace gwm::server {
namespace {

absl::Status ClosedError() {
  return MakeError(absl::StatusCode::kFailedPrecondition, "the session is closed",
                   {.reason = std::string(kClosed), .field = "session_id"});
}

std::vector<Env> FreshEnvs(const SessionConfig& config) {
  std::vector<Env> envs(config.num_envs);
  for (uint32_t id = 0; id < config.num_envs; ++id) {
    envs[id].seed = config.seed;
    envs[id].noise_env = id;
  }
  return envs;
}

}  // namespace

Session::Session(std::string id, SessionConfig config, absl::Time now)
    : id_(std::move(id)),
      config_(std::move(config)),
      created_at_(now),
      lease_(config_.idle_ttl, config_.max_lifetime, now),
      envs_(FreshEnvs(config_)),
      replies_(config_.max_replay_bytes) {}

absl::StatusOr<std::vector<Env>> Session::Read(std::span<const uint32_t> env_ids) const {
  absl::MutexLock lock(&mutex_);
  if (closed_) return ClosedError();
  std::vector<Env> envs;
  envs.reserve(env_ids.size());
  for (uint32_t id : env_ids) envs.push_back(envs_[id]);
  return envs;
}

absl::Status Session::Commit(std::span<const uint32_t> env_ids, std::vector<Env> envs,
                             std::optional<Answered> answered) {
  absl::MutexLock lock(&mutex_);
  if (closed_) return ClosedError();
  for (size_t row = 0; row < env_ids.size(); ++row) std::swap(envs_[env_ids[row]], envs[row]);
  if (answered.has_value()) {
    replies_.Keep(env_ids, *std::move(answered));
  } else {
    replies_.Forget(env_ids);
  }
  return absl::OkStatus();
}

absl::StatusOr<StoredReplyPtr> Session::FindReply(const ReplayKey& key) const {
  absl::MutexLock lock(&mutex_);
  if (closed_) return ClosedError();
  return replies_.Find(key);
}

void Session::KeepReply(std::span<const uint32_t> env_ids, Answered answered) {
  absl::MutexLock lock(&mutex_);
  if (!closed_) replies_.Keep(env_ids, std::move(answered));
}

uint32_t Session::num_envs() const {
  absl::MutexLock lock(&mutex_);
  return static_cast<uint32_t>(envs_.size());
}

absl::StatusOr<uint32_t> Session::Append(std::vector<Env> envs) {
  absl::MutexLock lock(&mutex_);
  if (closed_) return ClosedError();
  const auto first = static_cast<uint32_t>(envs_.size());
  for (Env& env : envs) envs_.push_back(std::move(env));
  return first;
}

uint64_t Session::NextFork() {
  absl::MutexLock lock(&mutex_);
  return ++forks_;
}

absl::StatusOr<std::string> Session::KeepState(Env env) {
  absl::MutexLock lock(&mutex_);
  if (closed_) return ClosedError();
  std::string id = absl::StrCat(id_, "/", ++kept_so_far_);
  kept_.emplace(id, std::move(env));
  return id;
}

absl::StatusOr<Env> Session::KeptState(const std::string& state_id) const {
  absl::MutexLock lock(&mutex_);
  if (closed_) return ClosedError();
  if (const auto found = kept_.find(state_id); found != kept_.end()) return found->second;
  return MakeError(absl::StatusCode::kNotFound,
                   absl::StrCat("no state has the id ", Quoted(state_id)),
                   {.reason = std::string(kUnknown), .field = "state_id"});
}

bool Session::DropState(const std::string& state_id) {
  Env released;
  absl::MutexLock lock(&mutex_);
  const auto found = kept_.find(state_id);
  if (found == kept_.end()) return false;
  released = std::move(found->second);
  kept_.erase(found);
  return true;
}

size_t Session::kept_states() const {
  absl::MutexLock lock(&mutex_);
  return kept_.size();
}

template <typename Self, typename Visit>
void Session::ForEachState(Self& self, Visit visit) {
  for (auto& env : self.envs_) visit(env);
  for (auto& [id, env] : self.kept_) visit(env);
}

bool Session::spilled() const {
  absl::MutexLock lock(&mutex_);
  return spilled_;
}

std::vector<StatePtr> Session::StatesInPool() const {
  absl::MutexLock lock(&mutex_);
  std::set<StatePtr> states;
  ForEachState(*this, [&](const Env& env) {
    if (env.state != nullptr) states.insert(env.state);
  });
  return {states.begin(), states.end()};
}

std::vector<HostState> Session::StatesOnHost() const {
  absl::MutexLock lock(&mutex_);
  std::set<HostState> states;
  ForEachState(*this, [&](const Env& env) {
    if (env.host_state != nullptr) states.insert(env.host_state);
  });
  return {states.begin(), states.end()};
}

bool Session::MoveToHost(const std::map<const WorldState*, HostState>& copies) {
  std::vector<StatePtr> released;
  absl::MutexLock lock(&mutex_);
  if (closed_ || lease_.in_use()) return false;
  ForEachState(*this, [&](Env& env) {
    if (env.state == nullptr) return;
    env.host_state = copies.at(env.state.get());
    released.push_back(std::exchange(env.state, nullptr));
  });
  spilled_ = true;
  return true;
}

bool Session::MoveToPool(const std::map<const StateTensors*, StatePtr>& copies) {
  absl::MutexLock lock(&mutex_);
  if (closed_) return false;
  ForEachState(*this, [&](Env& env) {
    if (env.host_state == nullptr) return;
    env.state = copies.at(env.host_state.get());
    env.host_state = nullptr;
  });
  spilled_ = false;
  return true;
}

void Session::Close() {
  std::vector<Env> released;
  std::map<std::string, Env> kept;
  absl::MutexLock lock(&mutex_);
  closed_ = true;
  released.swap(envs_);
  kept.swap(kept_);
  replies_ = ReplayLog(0);
}

void Session::BeginUse(absl::Time now) {
  absl::MutexLock lock(&mutex_);
  lease_.BeginUse(now);
}
void Session::EndUse(absl::Time now) {
  absl::MutexLock lock(&mutex_);
  lease_.EndUse(now);
}
absl::Time Session::ExpiresAt() const {
  absl::MutexLock lock(&mutex_);
  return lease_.ExpiresAt();
}
bool Session::ExpiredAt(absl::Time now) const {
  absl::MutexLock lock(&mutex_);
  return lease_.ExpiredAt(now);
}
std::optional<absl::Time> Session::IdleSince() const {
  absl::MutexLock lock(&mutex_);
  if (lease_.in_use()) return std::nullopt;
  return lease_.last_used();
}

SessionUse::SessionUse(std::shared_ptr<Session> session, const Clock* clock)
    : session_(std::move(session)), clock_(clock) {
  session_->BeginUse(clock_->Now());
}
SessionUse::SessionUse(SessionUse&& other) noexcept
    : session_(std::exchange(other.session_, nullptr)), clock_(other.clock_) {}
SessionUse::~SessionUse() { Release(); }

void SessionUse::Release() {
  if (auto session = std::exchange(session_, nullptr)) session->EndUse(clock_->Now());
}

}  // namespace gwm::server
