#include "server/rpc/simulator_service.h"

#include <utility>
#include <vector>

#include "server/base/status.h"
#include "server/convert/session_reply.h"
#include "server/convert/session_request.h"
#include "server/convert/spec.h"
#include "server/convert/state_message.h"
#include "server/rpc/imagine_stream.h"
#include "server/rpc/run_stream.h"
#include "server/rpc/verbs.h"
#include "server/work/perception_work.h"
#include "server/work/spill.h"

namespace gwm::server {

grpc::ServerUnaryReactor* SimulatorService::GetSpec(grpc::CallbackServerContext* context,
                                                    const v1::GetSpecRequest* request,
                                                    v1::SimulatorSpec* reply) {
  return RunNow(deps_, "Simulator.GetSpec", context, *request, reply,
                [&](v1::SimulatorSpec& out) -> absl::Status {
                  ASSIGN_OR_RETURN(
                      const WorldHandle world,
                      deps_.models->Find(request->model_id(), request->checkpoint_digest()));
                  out = ToProto(world->spec(), !deps_.episode_root.empty());
                  return absl::OkStatus();
                });
}

grpc::ServerUnaryReactor* SimulatorService::CreateSession(grpc::CallbackServerContext* context,
                                                          const v1::CreateSessionRequest* request,
                                                          v1::Session* reply) {
  return Enqueue(deps_, "Simulator.CreateSession", context, *request, reply,
                 [&](auto call) { return StartCreate(call, *request, deps_.random()); });
}

absl::Status SimulatorService::StartCreate(CallPtr<v1::Session> call,
                                           const v1::CreateSessionRequest& request, uint64_t seed) {
  ASSIGN_OR_RETURN(const WorldHandle world,
                   deps_.models->Find(request.model_id(), request.checkpoint_digest()));
  ASSIGN_OR_RETURN(SessionConfig config, ParseCreateSession(request, world, deps_.limits, seed));
  ASSIGN_OR_RETURN(auto made, deps_.sessions->FindMade(config));
  if (made.has_value()) return AnswerAgain(*std::move(made), *call);
  const auto finish = [=, this, &request](absl::StatusOr<SessionUse> session) {
    FinishCreate(call, request, seed, *world, std::move(session));
  };
  const Need need{.world = world.get(), .room = {.envs = config.num_envs}};
  if (deps_.sessions->HasRoom(need) || deps_.sessions->NextToSpill(need, {}) == nullptr) {
    finish(deps_.sessions->Create(std::move(config)));
    return absl::OkStatus();
  }
  deps_.device->Submit(std::make_unique<WorldCall<SessionUse>>(
      call, world,
      [config, this](World& on) { return CreateSpilling(on, *deps_.sessions, config); },
      Answer<SessionUse>(finish), Demand{.stage = Stage::kState}));
  return absl::OkStatus();
}

absl::Status SimulatorService::AnswerAgain(SessionUse made, Call<v1::Session>& call) {
  RETURN_IF_ERROR(FillSession(*made, deps_.instance_id, call.reply()));
  call.reply().set_replayed(true);
  made.Release();  // who is answered may need its room
  call.Finish(absl::OkStatus());
  return absl::OkStatus();
}

void SimulatorService::FinishCreate(CallPtr<v1::Session> call,
                                    const v1::CreateSessionRequest& request, uint64_t seed,
                                    const ServedWorld& tried, absl::StatusOr<SessionUse> session) {
  absl::Status status = session.status();
  if (session.ok()) {
    status = FillSession(**session, deps_.instance_id, call->reply());
    session->Release();  // who is answered may need its room
  } else if (DetailsOf(status).reason == kModelDraining) {
    // The name may mean another version by now: a swap must not be noticed.
    const auto now = deps_.models->Find(request.model_id(), request.checkpoint_digest());
    if (now.ok() && now->get() != &tried) {
      status = StartCreate(call, request, seed);
      if (status.ok()) return;
    }
  }
  call->Finish(status);
}

grpc::ServerUnaryReactor* SimulatorService::GetSession(grpc::CallbackServerContext* context,
                                                       const v1::GetSessionRequest* request,
                                                       v1::Session* reply) {
  return RunNow(deps_, "Simulator.GetSession", context, *request, reply,
                [&](v1::Session& out) -> absl::Status {
                  ASSIGN_OR_RETURN(const SessionUse session,
                                   deps_.sessions->Find(request->session_id()));
                  return FillSession(*session, deps_.instance_id, out);
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
                    FillSummary(*session, *out.add_sessions());
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
                 [&](auto call) { return StartReset(deps_, *request, std::move(call)); });
}

grpc::ServerUnaryReactor* SimulatorService::Step(grpc::CallbackServerContext* context,
                                                 const v1::StepRequest* request,
                                                 v1::StepReply* reply) {
  return Enqueue(deps_, "Simulator.Step", context, *request, reply,
                 [&](auto call) { return StartStep(deps_, *request, std::move(call)); });
}

grpc::ServerUnaryReactor* SimulatorService::Render(grpc::CallbackServerContext* context,
                                                   const v1::RenderRequest* request,
                                                   v1::RenderReply* reply) {
  return Enqueue(deps_, "Simulator.Render", context, *request, reply,
                 [&](auto call) { return StartRender(deps_, *request, std::move(call)); });
}

grpc::ServerUnaryReactor* SimulatorService::Plan(grpc::CallbackServerContext* context,
                                                 const v1::PlanRequest* request,
                                                 v1::PlanReply* reply) {
  return Enqueue(deps_, "Simulator.Plan", context, *request, reply,
                 [&](auto call) { return StartPlan(deps_, *request, std::move(call)); });
}

grpc::ServerUnaryReactor* SimulatorService::Observe(grpc::CallbackServerContext* context,
                                                    const v1::ObserveRequest* request,
                                                    v1::ObserveReply* reply) {
  return Enqueue(deps_, "Simulator.Observe", context, *request, reply,
                 [&](auto call) { return StartObserve(deps_, *request, std::move(call)); });
}

grpc::ServerUnaryReactor* SimulatorService::Fork(grpc::CallbackServerContext* context,
                                                 const v1::ForkRequest* request,
                                                 v1::ForkReply* reply) {
  return Enqueue(deps_, "Simulator.Fork", context, *request, reply,
                 [&](auto call) { return StartFork(deps_, *request, std::move(call)); });
}

grpc::ServerUnaryReactor* SimulatorService::ExportState(grpc::CallbackServerContext* context,
                                                        const v1::ExportStateRequest* request,
                                                        v1::ExportStateReply* reply) {
  return Enqueue(deps_, "Simulator.ExportState", context, *request, reply,
                 [&](auto call) { return StartExport(deps_, *request, std::move(call)); });
}

grpc::ServerUnaryReactor* SimulatorService::ImportState(grpc::CallbackServerContext* context,
                                                        const v1::ImportStateRequest* request,
                                                        v1::ImportStateReply* reply) {
  return Enqueue(deps_, "Simulator.ImportState", context, *request, reply,
                 [&](auto call) { return StartImport(deps_, *request, std::move(call)); });
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

grpc::ServerBidiReactor<v1::RunRequest, v1::RunResponse>* SimulatorService::Run(
    grpc::CallbackServerContext* context) {
  return RunStream::Start(deps_, *context, &run_streams_);
}

}  // namespace gwm::server
