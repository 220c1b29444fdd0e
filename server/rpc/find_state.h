// What requests name: sessions, environments, states.
#ifndef GWM_SERVER_RPC_FIND_STATE_H_
#define GWM_SERVER_RPC_FIND_STATE_H_

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "gwm/v1/simulator.pb.h"
#include "server/base/status.h"
#include "server/convert/session_request.h"
#include "server/rpc/deps.h"
#include "server/work/imagine_rollout.h"
#include "server/work/session_call.h"
#include "server/work/start_state.h"

namespace gwm::server {

// The session of this id; the call counts for the session's client unless it named one itself.
absl::StatusOr<SessionUse> FindSessionFor(const RpcDeps& deps, CallHandle& call,
                                          const std::string& session_id);

// The session and the environments that a request names.
template <typename Request>
absl::StatusOr<SessionCall> FindSession(const RpcDeps& deps, std::shared_ptr<CallHandle> call,
                                        const Request& request) {
  ASSIGN_OR_RETURN(SessionUse session, FindSessionFor(deps, *call, request.session_id()));
  ASSIGN_OR_RETURN(auto env_ids, ParseEnvIds(request.env_ids(), session->num_envs()));
  return SessionCall{std::move(call), std::move(session), std::move(env_ids), deps.clock,
                     deps.sessions};
}

absl::StatusOr<SessionCall> FindForReset(const RpcDeps& deps, std::shared_ptr<CallHandle> call,
                                         const v1::ResetRequest& request);

// The same for a request that names one environment, env_id.
absl::StatusOr<SessionCall> FindEnv(const RpcDeps& deps, std::shared_ptr<CallHandle> call,
                                    const std::string& session_id, uint32_t env_id);

// The running environment that `target` names, to roll out from: handed to `then` at once, or on
// the device thread when the session's states have to be brought back first.
void WithRunning(const RpcDeps& deps, SessionCall target,
                 std::function<void(absl::StatusOr<RolloutStart>)> then);

// A state with the world that it is a state of.
struct FoundState {
  WorldHandle world;
  StartState start;
};

// The same from a state by itself, which `call` asked for.
void WithState(const RpcDeps& deps, std::shared_ptr<CallHandle> call, FoundState found,
               std::function<void(absl::StatusOr<RolloutStart>)> then);

// The state that `ref` names. Errors as Session::KeptState and SessionTable::Find, or as
// ParseStateBlob; BAD_FIELD when it names none; FailedPrecondition / STATE_MISMATCH when the
// checkpoint of its bytes is not served.
absl::StatusOr<FoundState> FindState(const RpcDeps& deps, const v1::StateRef& ref,
                                     const std::string& field);
// The same for a call on `world`: STATE_MISMATCH unless it is a state of that one.
absl::StatusOr<StartState> FindStateOf(const RpcDeps& deps, const v1::StateRef& ref,
                                       const std::string& field, const WorldHandle& world);
// The same for bytes, already parsed.
absl::Status CheckStateOf(const StateContent& content, const std::string& field,
                          const WorldHandle& world);

}  // namespace gwm::server

#endif  // GWM_SERVER_RPC_FIND_STATE_H_
