#include "server/rpc/find_state.h"

#include "absl/strings/str_cat.h"
#include "server/base/error.h"
#include "server/convert/state_message.h"

namespace gwm::server {

absl::StatusOr<SessionCall> FindForReset(const RpcDeps& deps, std::shared_ptr<CallHandle> call,
                                         const v1::ResetRequest& request) {
  ASSIGN_OR_RETURN(SessionUse session, deps.sessions->Find(request.session_id()));
  ASSIGN_OR_RETURN(auto env_ids, ParseResetIds(request, session->num_envs()));
  return SessionCall{std::move(call), std::move(session), std::move(env_ids), deps.clock};
}

absl::StatusOr<SessionCall> FindEnv(const RpcDeps& deps, std::shared_ptr<CallHandle> call,
                                    const std::string& session_id, uint32_t env_id) {
  ASSIGN_OR_RETURN(SessionUse session, deps.sessions->Find(session_id));
  const uint32_t num_envs = session->num_envs();
  if (env_id >= num_envs) {
    return BadField("env_id", absl::StrCat(env_id, "; 0 to ", num_envs - 1, " is allowed"));
  }
  return SessionCall{std::move(call), std::move(session), {env_id}, deps.clock};
}

absl::StatusOr<StartState> FindState(const RpcDeps& deps, const v1::StateRef& ref,
                                     const std::string& field) {
  switch (ref.ref_case()) {
    case v1::StateRef::kStateId: {
      ASSIGN_OR_RETURN(const SessionUse session,
                       deps.sessions->Find(SessionOfState(ref.state_id())));
      ASSIGN_OR_RETURN(Env env, session->KeptState(ref.state_id()));
      return StartState(std::move(env));
    }
    case v1::StateRef::kBlob: {
      ASSIGN_OR_RETURN(StateContent content,
                       ParseStateBlob(ref.blob(), absl::StrCat(field, ".blob"), deps.device->spec(),
                                      deps.limits, deps.state_key));
      return StartState(std::move(content));
    }
    case v1::StateRef::REF_NOT_SET:
      break;
  }
  return BadField(field, "is empty; state_id or blob is asked for");
}

}  // namespace gwm::server
