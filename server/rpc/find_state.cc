#include "server/rpc/find_state.h"

#include "absl/strings/str_cat.h"
#include "server/base/error.h"
#include "server/convert/state_message.h"
#include "server/work/perception_work.h"
#include "server/work/spill.h"

namespace gwm::server {

absl::StatusOr<SessionUse> FindSessionFor(const RpcDeps& deps, CallHandle& call,
                                          const std::string& session_id) {
  ASSIGN_OR_RETURN(SessionUse session, deps.sessions->Find(session_id));
  const std::string& client = session->config().client_id;
  if (!call.named() && !client.empty()) call.SetClient(client);
  return session;
}

absl::StatusOr<SessionCall> FindForReset(const RpcDeps& deps, std::shared_ptr<CallHandle> call,
                                         const v1::ResetRequest& request) {
  ASSIGN_OR_RETURN(SessionUse session, FindSessionFor(deps, *call, request.session_id()));
  ASSIGN_OR_RETURN(auto env_ids, ParseResetIds(request, session->num_envs()));
  return SessionCall{std::move(call), std::move(session), std::move(env_ids), deps.clock,
                     deps.sessions};
}

absl::StatusOr<SessionCall> FindEnv(const RpcDeps& deps, std::shared_ptr<CallHandle> call,
                                    const std::string& session_id, uint32_t env_id) {
  ASSIGN_OR_RETURN(SessionUse session, FindSessionFor(deps, *call, session_id));
  const uint32_t num_envs = session->num_envs();
  if (env_id >= num_envs) {
    return BadField("env_id", absl::StrCat(env_id, "; 0 to ", num_envs - 1, " is allowed"));
  }
  return SessionCall{std::move(call), std::move(session), {env_id}, deps.clock, deps.sessions};
}

namespace {

absl::StatusOr<RolloutStart> RunningStart(SessionCall& target) {
  ASSIGN_OR_RETURN(auto envs, ReadRunning(*target.session, target.env_ids));
  return RolloutStart{.world = target.session->world(),
                      .env = std::move(envs.front()),
                      .max_episode_steps = target.session->config().max_episode_steps,
                      .session = std::move(target.session)};
}

absl::Status Mismatch(const std::string& field, const std::string& what) {
  return MakeError(absl::StatusCode::kFailedPrecondition, absl::StrCat(field, ": ", what),
                   {.reason = std::string(kStateMismatch), .field = field});
}

}  // namespace

void WithRunning(const RpcDeps& deps, SessionCall target,
                 std::function<void(absl::StatusOr<RolloutStart>)> then) {
  // It is in use from here on, so it stays where it is.
  if (!target.session->spilled()) return then(RunningStart(target));
  const WorldHandle on = target.session->world();
  const std::shared_ptr<CallHandle> call = target.call;
  // Shared because std::function copies what it holds.
  const auto shared = std::make_shared<SessionCall>(std::move(target));
  const auto start = [shared](World& world) -> absl::StatusOr<RolloutStart> {
    RETURN_IF_ERROR(BringBack(world, *shared));
    return RunningStart(*shared);
  };
  deps.device->Submit(std::make_unique<WorldCall<RolloutStart>>(
      call, on, start, Answer<RolloutStart>(std::move(then)), Demand{.stage = Stage::kState}));
}

void WithState(const RpcDeps& deps, std::shared_ptr<CallHandle> call, FoundState found,
               std::function<void(absl::StatusOr<RolloutStart>)> then) {
  const WorldHandle on = found.world;
  const auto start = [found = std::move(found)](World& world) -> absl::StatusOr<RolloutStart> {
    const auto* content = std::get_if<StateContent>(&found.start);
    ASSIGN_OR_RETURN(Env env, Materialise(world, found.start));
    return RolloutStart{.world = found.world,
                        .env = std::move(env),
                        .max_episode_steps = content == nullptr ? 0 : content->max_episode_steps,
                        .session = {}};
  };
  deps.device->Submit(std::make_unique<WorldCall<RolloutStart>>(
      std::move(call), on, start, Answer<RolloutStart>(std::move(then)),
      Demand{.stage = Stage::kState}));
}

absl::StatusOr<FoundState> FindState(const RpcDeps& deps, const v1::StateRef& ref,
                                     const std::string& field) {
  switch (ref.ref_case()) {
    case v1::StateRef::kStateId: {
      ASSIGN_OR_RETURN(const SessionUse session,
                       deps.sessions->Find(SessionOfState(ref.state_id())));
      ASSIGN_OR_RETURN(Env env, session->KeptState(ref.state_id()));
      return FoundState{session->world(), std::move(env)};
    }
    case v1::StateRef::kBlob: {
      const std::string blob = absl::StrCat(field, ".blob");
      ASSIGN_OR_RETURN(StateContent content,
                       ParseStateBlob(ref.blob(), blob, deps.limits, deps.state_key));
      auto world = deps.models->Find("", content.checkpoint_digest);
      if (content.checkpoint_digest.empty() || !world.ok()) {
        return Mismatch(
            blob, absl::StrCat("belongs to the checkpoint ", Quoted(content.checkpoint_digest),
                               ", which is not served"));
      }
      return FoundState{*std::move(world), std::move(content)};
    }
    case v1::StateRef::REF_NOT_SET:
      break;
  }
  return BadField(field, "is empty; state_id or blob is asked for");
}

absl::StatusOr<StartState> FindStateOf(const RpcDeps& deps, const v1::StateRef& ref,
                                       const std::string& field, const WorldHandle& world) {
  ASSIGN_OR_RETURN(FoundState found, FindState(deps, ref, field));
  if (found.world == world) return std::move(found.start);
  return Mismatch(
      field,
      absl::StrCat("belongs to the checkpoint ", Quoted(found.world->spec().checkpoint_digest),
                   "; the session runs on ", Quoted(world->spec().checkpoint_digest)));
}

absl::Status CheckStateOf(const StateContent& content, const std::string& field,
                          const WorldHandle& world) {
  const std::string& digest = world->spec().checkpoint_digest;
  if (content.checkpoint_digest == digest) return absl::OkStatus();
  return Mismatch(field,
                  absl::StrCat("belongs to the checkpoint ", Quoted(content.checkpoint_digest),
                               "; the session runs on ", Quoted(digest)));
}

}  // namespace gwm::server
