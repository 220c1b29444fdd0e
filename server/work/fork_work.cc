#include "server/work/fork_work.h"

#include <memory>
#include <numeric>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/error.h"
#include "server/base/status.h"
#include "server/work/mix.h"
#include "server/work/spill.h"

namespace gwm::server {
namespace {

// Which children a fork made.
class KeptFork final : public StoredReply {
 public:
  explicit KeptFork(const ForkResult& made)
      : session_id_(made.session->id()), env_ids_(made.env_ids) {}
  size_t bytes() const override { return session_id_.size() + env_ids_.size() * sizeof(uint32_t); }

  // NotFound or FailedPrecondition as SessionTable::Find when their session is gone.
  absl::StatusOr<ForkResult> Again(SessionTable& table) const {
    ASSIGN_OR_RETURN(SessionUse session, table.Find(session_id_));
    return ForkResult{.session = std::move(session), .env_ids = env_ids_, .replayed = true};
  }

 private:
  std::string session_id_;
  std::vector<uint32_t> env_ids_;
};

}  // namespace

ForkWork::ForkWork(SessionCall call, ForkArgs args, SessionTable* table, Answer<ForkResult> answer)
    : SoloWork(call.call, &*call.session, call.session->world(),
               {.stage = Stage::kState, .rows = static_cast<int>(call.env_ids.size())}),
      call_(std::move(call)),
      args_(args),
      table_(table),
      answer_(std::move(answer)) {}

void ForkWork::Run(World& world, const RunTiming&) { Reply(ForkOnce(world)); }

void ForkWork::Reply(absl::StatusOr<ForkResult> result) {
  call_.session.Release();
  answer_(std::move(result));
}

absl::StatusOr<ForkResult> ForkWork::ForkOnce(World& world) {
  if (!args_.replay.has_value()) return Fork(world);
  ASSIGN_OR_RETURN(const StoredReplyPtr reply, call_.session->FindReply(*args_.replay));
  if (reply != nullptr) {
    const auto* kept = dynamic_cast<const KeptFork*>(reply.get());
    if (kept != nullptr) return kept->Again(*table_);
    return NameTaken(args_.replay->request_id);
  }
  ASSIGN_OR_RETURN(ForkResult made, Fork(world));
  call_.session->KeepReply(call_.env_ids, {*args_.replay, std::make_shared<KeptFork>(made)});
  return made;
}

absl::StatusOr<ForkResult> ForkWork::Fork(World& world) {
  RETURN_IF_ERROR(BringBack(world, call_));
  ASSIGN_OR_RETURN(const std::vector<Env> parents, ReadStates(*call_.session, call_.env_ids));
  const uint64_t present = args_.into_same_session ? call_.session->num_envs() : 0;
  const uint64_t wanted = present + uint64_t{args_.count} * parents.size();
  if (wanted > args_.max_envs_per_session) {
    return BeyondLimit("count", absl::StrCat(args_.count, " children each would make ", wanted,
                                             " environments; up to max_envs_per_session = ",
                                             args_.max_envs_per_session, " are allowed"));
  }
  return args_.into_same_session ? IntoSameSession(world, parents) : IntoNewSession(world, parents);
}

std::vector<Env> ForkWork::Children(const std::vector<Env>& parents, uint32_t first_id) const {
  const uint64_t fork = args_.seed == ForkSeed::kSplit ? call_.session->NextFork() : 0;
  std::vector<Env> children;
  for (const Env& parent : parents) {
    for (uint32_t k = 0; k < args_.count; ++k) {
      Env child = parent;
      if (args_.seed == ForkSeed::kSplit) {
        child.noise_env = first_id + static_cast<uint32_t>(children.size());
        child.seed = Mix(Mix(Mix(parent.seed ^ fork) ^ parent.noise_env) ^ (k + 1));
      }
      children.push_back(std::move(child));
    }
  }
  return children;
}

absl::StatusOr<ForkResult> ForkWork::IntoSameSession(World& world,
                                                     const std::vector<Env>& parents) {
  Session& session = *call_.session;
  std::vector<Env> children = Children(parents, session.num_envs());
  const Room room{.envs = static_cast<uint32_t>(children.size())};
  RETURN_IF_ERROR(ReserveSpilling(world, *table_, session, room));
  auto first = session.Append(std::move(children));
  if (!first.ok()) {
    table_->Unreserve(session, room);
    return first.status();
  }
  ForkResult result{.session = call_.session.Again(), .env_ids = {}};
  result.env_ids.resize(room.envs);
  std::iota(result.env_ids.begin(), result.env_ids.end(), *first);
  return result;
}

absl::StatusOr<ForkResult> ForkWork::IntoNewSession(World& world, const std::vector<Env>& parents) {
  std::vector<Env> children = Children(parents, 0);
  SessionConfig config = call_.session->config();
  config.num_envs = static_cast<uint32_t>(children.size());
  // The parent's. gcc 12 takes an assignment of nullopt for a read of what may not be there.
  std::optional<ReplayKey>().swap(config.creation);
  ASSIGN_OR_RETURN(SessionUse session, CreateSpilling(world, *table_, std::move(config)));
  std::vector<uint32_t> ids(children.size());
  std::iota(ids.begin(), ids.end(), 0u);
  RETURN_IF_ERROR(session->Commit(ids, std::move(children)));
  return ForkResult{.session = std::move(session), .env_ids = std::move(ids)};
}

}  // namespace gwm::server
