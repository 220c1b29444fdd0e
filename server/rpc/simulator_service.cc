#include "server/rpc/simulator_service.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "server/base/error.h"
#include "server/base/status.h"
#include "server/convert/episode.h"
#include "server/convert/scene.h"
#include "server/convert/session_reply.h"
#include "server/convert/session_request.h"
#include "server/convert/spec.h"
#include "server/convert/state_message.h"
#include "server/rpc/find_state.h"
#include "server/rpc/image_count.h"
#include "server/rpc/imagine_stream.h"
#include "server/work/fork_work.h"
#include "server/work/perception_work.h"
#include "server/work/render_work.h"
#include "server/work/reset_work.h"
#include "server/work/state_work.h"
#include "server/work/step_work.h"

namespace gwm::server {
namespace {

void Count(const ResetResult& result, Metrics& metrics) {
  if (result.replayed) return metrics.Replayed();
  CountImages(result.observations, metrics);
}

void Count(const PlanResult& result, Metrics& metrics) {
  const auto failed =
      static_cast<uint64_t>(std::count_if(result.row_status.begin(), result.row_status.end(),
                                          [](const absl::Status& status) { return !status.ok(); }));
  metrics.ImaginedSteps(result.computed_rows, failed, result.computed_rows * result.sampler_calls);
}

void Count(const StepResult& result, Metrics& metrics) {
  if (result.replayed) return metrics.Replayed();
  uint64_t failed = 0;
  for (const absl::Status& status : result.row_status) failed += status.ok() ? 0 : 1;
  const uint64_t rows = result.row_status.size();
  metrics.EnvSteps(rows - failed, failed, rows * result.timing.sampler_calls);
  CountImages(result.observations, metrics);
}

}  // namespace

grpc::ServerUnaryReactor* SimulatorService::GetSpec(grpc::CallbackServerContext* context,
                                                    const v1::GetSpecRequest* request,
                                                    v1::SimulatorSpec* reply) {
  return RunNow(deps_, "Simulator.GetSpec", context, *request, reply, [&](v1::SimulatorSpec& out) {
    const WorldSpec& spec = deps_.device->spec();
    RETURN_IF_ERROR(CheckModel(request->model_id(), "", spec));
    out = ToProto(spec, !deps_.episode_root.empty());
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* SimulatorService::CreateSession(grpc::CallbackServerContext* context,
                                                          const v1::CreateSessionRequest* request,
                                                          v1::Session* reply) {
  return RunNow(
      deps_, "Simulator.CreateSession", context, *request, reply,
      [&](v1::Session& out) -> absl::Status {
        if (*deps_.draining) return DrainingError();
        const WorldSpec& spec = deps_.device->spec();
        ASSIGN_OR_RETURN(SessionConfig config,
                         ParseCreateSession(*request, spec, deps_.limits, deps_.random()));
        ASSIGN_OR_RETURN(const SessionUse session, deps_.sessions->Create(std::move(config)));
        deps_.metrics->SessionOpened();
        return FillSession(*session, spec, deps_.instance_id, out);
      });
}

grpc::ServerUnaryReactor* SimulatorService::GetSession(grpc::CallbackServerContext* context,
                                                       const v1::GetSessionRequest* request,
                                                       v1::Session* reply) {
  return RunNow(deps_, "Simulator.GetSession", context, *request, reply,
                [&](v1::Session& out) -> absl::Status {
                  ASSIGN_OR_RETURN(const SessionUse session,
                                   deps_.sessions->Find(request->session_id()));
                  return FillSession(*session, deps_.device->spec(), deps_.instance_id, out);
                });
}

grpc::ServerUnaryReactor* SimulatorService::RenewSession(grpc::CallbackServerContext* context,
                                                         const v1::RenewSessionRequest* request,
                                                         v1::RenewSessionReply* reply) {
  return RunNow(deps_, "Simulator.RenewSession", context, *request, reply,
                [&](v1::RenewSessionReply& out) -> absl::Status {
                  ASSIGN_OR_RETURN(const SessionUse session,
                                   deps_.sessions->Find(request->session_id()));
                  FillRenewal(*session, deps_.clock->Now(), out);
                  return absl::OkStatus();
                });
}

grpc::ServerUnaryReactor* SimulatorService::ListSessions(grpc::CallbackServerContext* context,
                                                         const v1::ListSessionsRequest* request,
                                                         v1::ListSessionsReply* reply) {
  return RunNow(deps_, "Simulator.ListSessions", context, *request, reply,
                [&](v1::ListSessionsReply& out) -> absl::Status {
                  ASSIGN_OR_RETURN(const ListArgs args, ParseListSessions(*request, deps_.limits));
                  const auto found =
                      deps_.sessions->List(args.client_id, args.after, args.page_size);
                  for (const auto& session : found) {
                    FillSummary(*session, deps_.device->spec(), *out.add_sessions());
                  }
                  // A full page may be the last one; then an empty one follows.
                  if (found.size() == args.page_size) {
                    out.set_next_page_token(found.back()->id());
                  }
                  return absl::OkStatus();
                });
}

grpc::ServerUnaryReactor* SimulatorService::CloseSession(grpc::CallbackServerContext* context,
                                                         const v1::CloseSessionRequest* request,
                                                         v1::CloseSessionReply* reply) {
  return RunNow(
      deps_, "Simulator.CloseSession", context, *request, reply,
      [&](v1::CloseSessionReply&) { return deps_.sessions->Close(request->session_id()); });
}

grpc::ServerUnaryReactor* SimulatorService::Reset(grpc::CallbackServerContext* context,
                                                  const v1::ResetRequest* request,
                                                  v1::ResetReply* reply) {
  return Enqueue(deps_, "Simulator.Reset", context, *request, reply,
                 [&](auto call) -> absl::Status {
                   const WorldSpec& spec = deps_.device->spec();
                   ASSIGN_OR_RETURN(SessionCall target, FindForReset(deps_, call, *request));
                   ASSIGN_OR_RETURN(ResetArgs args, ParseReset(*request, target.session->config(),
                                                               target.env_ids.size(), spec));
                   if (request->has_episode()) {
                     ASSIGN_OR_RETURN(args.frames, LoadEpisodeFrame(request->episode(), "episode",
                                                                    deps_.episode_root, spec));
                   }
                   if (request->has_state()) {
                     ASSIGN_OR_RETURN(args.start, FindState(deps_, request->state(), "state"));
                   }
                   deps_.device->Submit(std::make_unique<ResetWork>(
                       std::move(target), std::move(args),
                       Answer<ResetResult>([call, this](absl::StatusOr<ResetResult> result) {
                         if (result.ok()) Count(*result, *deps_.metrics);
                         call->FinishWith(std::move(result), FillReset);
                       })));
                   return absl::OkStatus();
                 });
}

grpc::ServerUnaryReactor* SimulatorService::Step(grpc::CallbackServerContext* context,
                                                 const v1::StepRequest* request,
                                                 v1::StepReply* reply) {
  return Enqueue(deps_, "Simulator.Step", context, *request, reply, [&](auto call) -> absl::Status {
    ASSIGN_OR_RETURN(SessionCall target, FindSession(deps_, call, *request));
    ASSIGN_OR_RETURN(StepArgs args,
                     ParseStep(*request, target.session->config(), target.env_ids.size(),
                               deps_.device->spec(), deps_.limits));
    deps_.device->Submit(std::make_unique<SessionStepWork>(
        std::move(target), std::move(args),
        Answer<StepResult>([call, this](absl::StatusOr<StepResult> result) {
          if (result.ok()) Count(*result, *deps_.metrics);
          call->FinishWith(std::move(result), FillStep);
        })));
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* SimulatorService::Render(grpc::CallbackServerContext* context,
                                                   const v1::RenderRequest* request,
                                                   v1::RenderReply* reply) {
  return Enqueue(
      deps_, "Simulator.Render", context, *request, reply, [&](auto call) -> absl::Status {
        if (request->has_state()) return RenderState(*request, call);
        ASSIGN_OR_RETURN(SessionCall target, FindSession(deps_, call, *request));
        ASSIGN_OR_RETURN(RenderArgs args, ParseRender(*request, target.env_ids.size(),
                                                      deps_.device->spec(), deps_.limits));
        deps_.device->Submit(std::make_unique<RenderWork>(
            std::move(target), std::move(args),
            Answer<Images>([call, this](absl::StatusOr<Images> images) {
              if (images.ok()) CountImages(*images, *deps_.metrics);
              call->FinishWith(std::move(images), FillImages<v1::RenderReply>);
            })));
        return absl::OkStatus();
      });
}

absl::Status SimulatorService::RenderState(const v1::RenderRequest& request,
                                           std::shared_ptr<UnaryCall<v1::RenderReply>> call) {
  if (!request.session_id().empty() || !request.env_ids().empty()) {
    return BadField("state", "only allowed without session_id and env_ids");
  }
  ASSIGN_OR_RETURN(RenderArgs args, ParseRender(request, 1, deps_.device->spec(), deps_.limits));
  ASSIGN_OR_RETURN(StartState start, FindState(deps_, request.state(), "state"));
  const auto render = [args = std::move(args),
                       start = std::move(start)](World& world) -> absl::StatusOr<Images> {
    ASSIGN_OR_RETURN(Env env, Materialise(world, start));
    return RenderEnvs(world, {std::move(env)}, args);
  };
  deps_.device->Submit(std::make_unique<WorldCall<Images>>(
      call, render, Answer<Images>([call, this](absl::StatusOr<Images> images) {
        if (images.ok()) CountImages(*images, *deps_.metrics);
        call->FinishWith(std::move(images), FillImages<v1::RenderReply>);
      })));
  return absl::OkStatus();
}

grpc::ServerUnaryReactor* SimulatorService::Plan(grpc::CallbackServerContext* context,
                                                 const v1::PlanRequest* request,
                                                 v1::PlanReply* reply) {
  return Enqueue(deps_, "Simulator.Plan", context, *request, reply, [&](auto call) -> absl::Status {
    ASSIGN_OR_RETURN(SessionCall target,
                     FindEnv(deps_, call, request->session_id(), request->env_id()));
    const SessionConfig& config = target.session->config();
    ASSIGN_OR_RETURN(const PlanArgs args,
                     ParsePlan(*request, config.sampler_calls, deps_.device->spec(), deps_.limits));
    ASSIGN_OR_RETURN(auto envs, ReadRunning(*target.session, target.env_ids));
    RolloutStart start{.env = std::move(envs.front()), .session = std::move(target.session)};
    // The rollout lives in the works that it submits, and answers once.
    ASSIGN_OR_RETURN(
        const auto rollout,
        ImagineRollout::Create(call, std::move(start), args.rollout, deps_.device,
                               [call, this, args](absl::StatusOr<ImagineResult> rolled) {
                                 if (!rolled.ok()) return call->Finish(rolled.status());
                                 auto plan = ChooseBest(args, *std::move(rolled));
                                 if (plan.ok()) Count(*plan, *deps_.metrics);
                                 call->FinishWith(std::move(plan), FillPlan);
                               }));
    rollout->RequestChunk();
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* SimulatorService::Observe(grpc::CallbackServerContext* context,
                                                    const v1::ObserveRequest* request,
                                                    v1::ObserveReply* reply) {
  return Enqueue(
      deps_, "Simulator.Observe", context, *request, reply, [&](auto call) -> absl::Status {
        ASSIGN_OR_RETURN(SessionCall target, FindSession(deps_, call, *request));
        ASSIGN_OR_RETURN(CompareArgs args, ParseObserve(*request, target.env_ids.size(),
                                                        deps_.device->spec(), deps_.limits));
        deps_.device->Submit(std::make_unique<CompareWork>(
            std::move(target), std::move(args),
            Answer<CompareResult>([call](absl::StatusOr<CompareResult> result) {
              call->FinishWith(std::move(result), FillObserve);
            })));
        return absl::OkStatus();
      });
}

grpc::ServerUnaryReactor* SimulatorService::Fork(grpc::CallbackServerContext* context,
                                                 const v1::ForkRequest* request,
                                                 v1::ForkReply* reply) {
  return Enqueue(deps_, "Simulator.Fork", context, *request, reply, [&](auto call) -> absl::Status {
    const bool new_session = !request->into_same_session();
    if (new_session && *deps_.draining) return DrainingError();
    ASSIGN_OR_RETURN(SessionCall target, FindSession(deps_, call, *request));
    ASSIGN_OR_RETURN(const ForkArgs args, ParseFork(*request, deps_.limits));
    deps_.device->Submit(std::make_unique<ForkWork>(
        std::move(target), args, deps_.sessions,
        Answer<ForkResult>([call, this, new_session](absl::StatusOr<ForkResult> result) {
          if (result.ok()) deps_.metrics->Forked(result->env_ids.size());
          if (result.ok() && new_session) deps_.metrics->SessionOpened();
          call->FinishWith(std::move(result), [this](ForkResult forked, v1::ForkReply& out) {
            FillFork(forked, deps_.device->spec(), deps_.instance_id, out);
          });
        })));
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* SimulatorService::ExportState(grpc::CallbackServerContext* context,
                                                        const v1::ExportStateRequest* request,
                                                        v1::ExportStateReply* reply) {
  return Enqueue(deps_, "Simulator.ExportState", context, *request, reply,
                 [&](auto call) -> absl::Status {
                   ASSIGN_OR_RETURN(SessionCall target,
                                    FindEnv(deps_, call, request->session_id(), request->env_id()));
                   const auto to = request->keep_on_server() ? ExportTo::kServer : ExportTo::kBytes;
                   deps_.device->Submit(std::make_unique<ExportWork>(
                       std::move(target), to, deps_.sessions,
                       Answer<ExportResult>([call, this](absl::StatusOr<ExportResult> result) {
                         call->FinishWith(std::move(result),
                                          [this](ExportResult exported, v1::ExportStateReply& out) {
                                            FillExport(std::move(exported), deps_.state_key, out);
                                          });
                       })));
                   return absl::OkStatus();
                 });
}

grpc::ServerUnaryReactor* SimulatorService::ImportState(grpc::CallbackServerContext* context,
                                                        const v1::ImportStateRequest* request,
                                                        v1::ImportStateReply* reply) {
  return Enqueue(
      deps_, "Simulator.ImportState", context, *request, reply, [&](auto call) -> absl::Status {
        ASSIGN_OR_RETURN(SessionCall target, FindEnv(deps_, call, request->session_id(), 0));
        ASSIGN_OR_RETURN(StateContent content,
                         ParseStateBlob(request->blob(), "blob", deps_.device->spec(), deps_.limits,
                                        deps_.state_key));
        deps_.device->Submit(std::make_unique<ImportWork>(
            std::move(target), std::move(content), deps_.sessions,
            Answer<ExportResult>([call](absl::StatusOr<ExportResult> result) {
              call->FinishWith(std::move(result), FillImport);
            })));
        return absl::OkStatus();
      });
}

grpc::ServerUnaryReactor* SimulatorService::DropState(grpc::CallbackServerContext* context,
                                                      const v1::DropStateRequest* request,
                                                      v1::DropStateReply* reply) {
  return RunNow(deps_, "Simulator.DropState", context, *request, reply,
                [&](v1::DropStateReply&) -> absl::Status {
                  const std::string& id = request->state_id();
                  ASSIGN_OR_RETURN(SessionUse session, deps_.sessions->Find(SessionOfState(id)));
                  if (session->DropState(id)) {
                    deps_.sessions->Unreserve(*session, {.kept = 1});
                  }
                  return absl::OkStatus();
                });
}

grpc::ServerWriteReactor<v1::ImagineChunk>* SimulatorService::Imagine(
    grpc::CallbackServerContext* context, const v1::ImagineRequest* request) {
  return ImagineStream::Start(deps_, *context, *request, &imagine_streams_);
}

}  // namespace gwm::server
