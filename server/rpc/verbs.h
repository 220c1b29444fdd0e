// What each verb does with its call, however the call came: unary, or through Simulator.Run.
//
// A verb checks the request, submits work and returns; the work answers the call on the device
// thread. An error that is returned instead ends the call, and nothing has changed. The request
// outlives the call's end.
#ifndef GWM_SERVER_RPC_VERBS_H_
#define GWM_SERVER_RPC_VERBS_H_

#include <memory>

#include "gwm/v1/simulator.pb.h"
#include "server/rpc/call.h"
#include "server/rpc/deps.h"

namespace gwm::server {

template <typename Reply>
using CallPtr = std::shared_ptr<Call<Reply>>;

// step_verbs.cc
absl::Status StartReset(const RpcDeps& deps, const v1::ResetRequest& request,
                        CallPtr<v1::ResetReply> call);
absl::Status StartStep(const RpcDeps& deps, const v1::StepRequest& request,
                       CallPtr<v1::StepReply> call);
absl::Status StartRender(const RpcDeps& deps, const v1::RenderRequest& request,
                         CallPtr<v1::RenderReply> call);
absl::Status StartObserve(const RpcDeps& deps, const v1::ObserveRequest& request,
                          CallPtr<v1::ObserveReply> call);

// state_verbs.cc
absl::Status StartPlan(const RpcDeps& deps, const v1::PlanRequest& request,
                       CallPtr<v1::PlanReply> call);
absl::Status StartFork(const RpcDeps& deps, const v1::ForkRequest& request,
                       CallPtr<v1::ForkReply> call);
absl::Status StartExport(const RpcDeps& deps, const v1::ExportStateRequest& request,
                         CallPtr<v1::ExportStateReply> call);
absl::Status StartImport(const RpcDeps& deps, const v1::ImportStateRequest& request,
                         CallPtr<v1::ImportStateReply> call);
// Once the works on the session that were submitted before are done.
absl::Status StartClose(const RpcDeps& deps, const v1::CloseSessionRequest& request,
                        CallPtr<v1::CloseSessionReply> call);

}  // namespace gwm::server

#endif  // GWM_SERVER_RPC_VERBS_H_
