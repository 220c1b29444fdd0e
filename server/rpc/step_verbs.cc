#include <memory>
#include <string>
#include <utility>

#include "server/base/error.h"
#include "server/base/status.h"
#include "server/convert/episode.h"
#include "server/convert/scene.h"
#include "server/convert/session_reply.h"
#include "server/convert/session_request.h"
#include "server/rpc/find_state.h"
#include "server/rpc/image_count.h"
#include "server/rpc/verbs.h"
#include "server/work/compare_work.h"
#include "server/work/perception_work.h"
#include "server/work/render_work.h"
#include "server/work/reset_work.h"
#include "server/work/step_work.h"

namespace gwm::server {
namespace {

void Count(const ResetResult& result, Metrics& metrics) {
  if (result.replayed) return metrics.Replayed();
  CountImages(result.observations, metrics);
}

void Count(const StepResult& result, const std::string& model, Metrics& metrics) {
  if (result.replayed) return metrics.Replayed();
  uint64_t failed = 0;
  for (const absl::Status& status : result.row_status) failed += status.ok() ? 0 : 1;
  const uint64_t rows = result.row_status.size();
  metrics.EnvSteps(model, rows - failed, failed, rows * result.timing.sampler_calls);
  CountImages(result.observations, metrics);
}

Answer<Images> AnswerImages(const RpcDeps& deps, CallPtr<v1::RenderReply> call) {
  return Answer<Images>([call = std::move(call), &deps](absl::StatusOr<Images> images) {
    if (images.ok()) CountImages(*images, *deps.metrics);
    call->FinishWith(std::move(images), FillImages<v1::RenderReply>);
  });
}

// Render of a state by itself.
absl::Status RenderState(const RpcDeps& deps, const v1::RenderRequest& request,
                         CallPtr<v1::RenderReply> call) {
  if (!request.session_id().empty() || !request.env_ids().empty()) {
    return BadField("state", "only allowed without session_id and env_ids");
  }
  ASSIGN_OR_RETURN(FoundState found, FindState(deps, request.state(), "state"));
  ASSIGN_OR_RETURN(RenderArgs args, ParseRender(request, 1, found.world->spec(), deps.limits));
  const auto render = [args = std::move(args),
                       start = std::move(found.start)](World& world) -> absl::StatusOr<Images> {
    ASSIGN_OR_RETURN(Env env, Materialise(world, start));
    return RenderEnvs(world, {std::move(env)}, args);
  };
  deps.device->Submit(std::make_unique<WorldCall<Images>>(
      call, found.world, render, AnswerImages(deps, call), Demand{.stage = Stage::kRender}));
  return absl::OkStatus();
}

}  // namespace

absl::Status StartReset(const RpcDeps& deps, const v1::ResetRequest& request,
                        CallPtr<v1::ResetReply> call) {
  ASSIGN_OR_RETURN(SessionCall target, FindForReset(deps, call, request));
  const WorldHandle world = target.session->world();
  const WorldSpec& spec = world->spec();
  ASSIGN_OR_RETURN(ResetArgs args,
                   ParseReset(request, target.session->config(), target.env_ids.size(), spec));
  if (request.has_episode()) {
    ASSIGN_OR_RETURN(args.frames,
                     LoadEpisodeFrame(request.episode(), "episode", deps.episode_root, spec));
  }
  if (request.has_state()) {
    ASSIGN_OR_RETURN(args.start, FindStateOf(deps, request.state(), "state", world));
  }
  deps.device->Submit(std::make_unique<ResetWork>(
      std::move(target), std::move(args),
      Answer<ResetResult>([call, &deps](absl::StatusOr<ResetResult> result) {
        if (result.ok()) Count(*result, *deps.metrics);
        call->FinishWith(std::move(result), FillReset);
      })));
  return absl::OkStatus();
}

absl::Status StartStep(const RpcDeps& deps, const v1::StepRequest& request,
                       CallPtr<v1::StepReply> call) {
  ASSIGN_OR_RETURN(SessionCall target, FindSession(deps, call, request));
  ASSIGN_OR_RETURN(StepArgs args,
                   ParseStep(request, target.session->config(), target.env_ids.size(),
                             target.session->world()->spec(), deps.limits));
  const std::string model = target.session->world()->spec().model_id;
  deps.device->Submit(std::make_unique<SessionStepWork>(
      std::move(target), std::move(args),
      Answer<StepResult>([call, model, &deps](absl::StatusOr<StepResult> result) {
        if (result.ok()) Count(*result, model, *deps.metrics);
        call->FinishWith(std::move(result), FillStep);
      })));
  return absl::OkStatus();
}

absl::Status StartRender(const RpcDeps& deps, const v1::RenderRequest& request,
                         CallPtr<v1::RenderReply> call) {
  if (request.has_state()) return RenderState(deps, request, std::move(call));
  ASSIGN_OR_RETURN(SessionCall target, FindSession(deps, call, request));
  ASSIGN_OR_RETURN(RenderArgs args, ParseRender(request, target.env_ids.size(),
                                                target.session->world()->spec(), deps.limits));
  deps.device->Submit(
      std::make_unique<RenderWork>(std::move(target), std::move(args), AnswerImages(deps, call)));
  return absl::OkStatus();
}

absl::Status StartObserve(const RpcDeps& deps, const v1::ObserveRequest& request,
                          CallPtr<v1::ObserveReply> call) {
  ASSIGN_OR_RETURN(SessionCall target, FindSession(deps, call, request));
  ASSIGN_OR_RETURN(CompareArgs args, ParseObserve(request, target.env_ids.size(),
                                                  target.session->world()->spec(), deps.limits));
  deps.device->Submit(std::make_unique<CompareWork>(
      std::move(target), std::move(args),
      Answer<CompareResult>([call](absl::StatusOr<CompareResult> result) {
        call->FinishWith(std::move(result), FillObserve);
      })));
  return absl::OkStatus();
}

}  // namespace gwm::server
