#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "server/base/error.h"
#include "server/base/status.h"
#include "server/convert/sampler.h"
#include "server/convert/session_reply.h"
#include "server/convert/session_request.h"
#include "server/convert/state_message.h"
#include "server/rpc/find_state.h"
#include "server/rpc/start_rollout.h"
#include "server/rpc/verbs.h"
#include "server/work/close_work.h"
#include "server/work/fork_work.h"
#include "server/work/imagine_rollout.h"
#include "server/work/plan.h"
#include "server/work/state_work.h"

namespace gwm::server {
namespace {

void Count(const PlanResult& result, const std::string& model, Metrics& metrics) {
  const auto failed =
      static_cast<uint64_t>(std::count_if(result.row_status.begin(), result.row_status.end(),
                                          [](const absl::Status& status) { return !status.ok(); }));
  metrics.ImaginedSteps(model, result.computed_rows, failed,
                        result.computed_rows * result.sampler_calls);
}

// The rollout lives in the works that it submits, and answers once.
absl::Status RollPlan(const RpcDeps& deps, const CallPtr<v1::PlanReply>& call, RolloutStart start,
                      const PlanArgs& args) {
  const std::string model = start.world->spec().model_id;
  ASSIGN_OR_RETURN(
      const auto rollout,
      ImagineRollout::Create(call, std::move(start), args.rollout, deps.device,
                             [call, &deps, args, model](absl::StatusOr<ImagineResult> rolled) {
                               if (!rolled.ok()) return call->Finish(rolled.status());
                               auto plan = ChooseBest(args, *std::move(rolled));
                               if (plan.ok()) Count(*plan, model, *deps.metrics);
                               call->FinishWith(std::move(plan), FillPlan);
                             }));
  rollout->RequestChunk();
  return absl::OkStatus();
}

}  // namespace

absl::Status StartPlan(const RpcDeps& deps, const v1::PlanRequest& request,
                       CallPtr<v1::PlanReply> call) {
  return StartRollout<v1::PlanRequest, PlanArgs>(
      deps, request, call,
      {.parse = ParsePlan,
       .roll = [&deps, call](
                   RolloutStart start,
                   const PlanArgs& args) { return RollPlan(deps, call, std::move(start), args); },
       .fail = [call](const absl::Status& status) { call->Finish(status); }});
}

absl::Status StartFork(const RpcDeps& deps, const v1::ForkRequest& request,
                       CallPtr<v1::ForkReply> call) {
  ASSIGN_OR_RETURN(SessionCall target, FindSession(deps, call, request));
  ASSIGN_OR_RETURN(const ForkArgs args, ParseFork(request, deps.limits));
  deps.device->Submit(std::make_unique<ForkWork>(
      std::move(target), args, deps.sessions,
      Answer<ForkResult>([call, &deps](absl::StatusOr<ForkResult> result) {
        if (result.ok() && !result->replayed) deps.metrics->Forked(result->env_ids.size());
        call->FinishWith(std::move(result), [&deps](ForkResult forked, v1::ForkReply& out) {
          FillFork(forked, deps.instance_id, out);
        });
      })));
  return absl::OkStatus();
}

absl::Status StartExport(const RpcDeps& deps, const v1::ExportStateRequest& request,
                         CallPtr<v1::ExportStateReply> call) {
  ASSIGN_OR_RETURN(SessionCall target, FindEnv(deps, call, request.session_id(), request.env_id()));
  const auto to = request.keep_on_server() ? ExportTo::kServer : ExportTo::kBytes;
  deps.device->Submit(std::make_unique<ExportWork>(
      std::move(target), to, deps.sessions,
      Answer<ExportResult>([call, &deps](absl::StatusOr<ExportResult> result) {
        call->FinishWith(std::move(result),
                         [&deps](ExportResult exported, v1::ExportStateReply& out) {
                           FillExport(std::move(exported), deps.state_key, out);
                         });
      })));
  return absl::OkStatus();
}

absl::Status StartImport(const RpcDeps& deps, const v1::ImportStateRequest& request,
                         CallPtr<v1::ImportStateReply> call) {
  ASSIGN_OR_RETURN(SessionCall target, FindEnv(deps, call, request.session_id(), 0));
  ASSIGN_OR_RETURN(StateContent content,
                   ParseStateBlob(request.blob(), "blob", deps.limits, deps.state_key));
  RETURN_IF_ERROR(CheckStateOf(content, "blob", target.session->world()));
  deps.device->Submit(std::make_unique<ImportWork>(
      std::move(target), std::move(content), deps.sessions,
      Answer<ExportResult>([call](absl::StatusOr<ExportResult> result) {
        call->FinishWith(std::move(result), FillImport);
      })));
  return absl::OkStatus();
}

absl::Status StartClose(const RpcDeps& deps, const v1::CloseSessionRequest& request,
                        CallPtr<v1::CloseSessionReply> call) {
  auto session = deps.sessions->Find(request.session_id());
  // Gone already, or never there: the table says which.
  if (!session.ok()) {
    RETURN_IF_ERROR(deps.sessions->Close(request.session_id()));
    call->Finish(absl::OkStatus());
    return absl::OkStatus();
  }
  deps.device->Submit(std::make_unique<CloseWork>(
      call, *std::move(session), deps.sessions,
      CloseWork::Done([call](const absl::Status& status) { call->Finish(status); })));
  return absl::OkStatus();
}

}  // namespace gwm::server
