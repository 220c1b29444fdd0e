// What requests name: sessions, environments, states.
#ifndef GWM_SERVER_RPC_FIND_STATE_H_
#define GWM_SERVER_RPC_FIND_STATE_H_

#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "gwm/v1/simulator.pb.h"
#include "server/base/status.h"
#include "server/convert/session_request.h"
#include "server/rpc/deps.h"
#include "server/work/session_call.h"
#include "server/work/start_state.h"

namespace gwm::server {

// The session and the environments that a request names.
template <typename Request>
absl::StatusOr<SessionCall> FindSession(const RpcDeps& deps, std::shared_ptr<CallHandle> call,
                                        const Request& request) {
  ASSIGN_OR_RETURN(SessionUse session, deps.sessions->Find(request.session_id()));
  ASSIGN_OR_RETURN(auto env_ids, ParseEnvIds(request.env_ids(), session->num_envs()));
  return SessionCall{std::move(call), std::move(session), std::move(env_ids), deps.clock};
}

absl::StatusOr<SessionCall> FindForReset(const RpcDeps& deps, std::shared_ptr<CallHandle> call,
                                         const v1::ResetRequest& request);

// The same for a request that names one environment, env_id.
absl::StatusOr<SessionCall> FindEnv(const RpcDeps& deps, std::shared_ptr<CallHandle> call,
                                    const std::string& session_id, uint32_t env_id);

// The state that `ref` names. Errors as Session::KeptState and SessionTable::Find, or as
// ParseStateBlob; BAD_FIELD when it names none.
absl::StatusOr<StartState> FindState(const RpcDeps& deps, const v1::StateRef& ref,
                                     const std::string& field);

}  // namespace gwm::server

#endif  // GWM_SERVER_RPC_FIND_STATE_H_
