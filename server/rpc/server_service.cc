#include "server/rpc/server_service.h"

#include <string>
#include <string_view>

#include "gwm/v1/trainer.pb.h"
#include "server/base/status.h"
#include "server/convert/config.h"
#include "server/convert/duration.h"
#include "server/convert/model_message.h"
#include "server/convert/spec.h"
#include "server/rpc/call.h"

namespace gwm::server {
namespace {

void AddTrainerRpcs(v1::ServerInfo& out) {
  const auto* service = v1::TrainingJob::descriptor()->file()->FindServiceByName("Trainer");
  for (int i = 0; i < service->method_count(); ++i) {
    out.add_rpcs("Trainer." + service->method(i)->name());
  }
}

}  // namespace

grpc::ServerUnaryReactor* ServerService::GetServerInfo(grpc::CallbackServerContext* context,
                                                       const v1::GetServerInfoRequest* request,
                                                       v1::ServerInfo* reply) {
  return RunNow(deps_, "Server.GetServerInfo", context, *request, reply,
                [this](v1::ServerInfo& out) {
                  const WorldHandle world = deps_.models->Default();
                  const WorldSpec& spec = world->spec();
                  const SessionTable::Counts counts = deps_.sessions->counts();
                  out.set_server_instance_id(deps_.instance_id);
                  out.set_version(deps_.version);
                  *out.mutable_start_time() = ToProto(deps_.started_at);
                  out.set_model_id(spec.model_id);
                  out.set_checkpoint_digest(spec.checkpoint_digest);
                  out.set_device(spec.device);
                  for (std::string_view rpc : AnsweredRpcs()) out.add_rpcs(std::string(rpc));
                  if (deps_.training != nullptr) AddTrainerRpcs(out);
                  out.set_sessions(counts.sessions);
                  out.set_envs(static_cast<uint32_t>(counts.envs));
                  out.set_state_bytes(counts.state_bytes);
                  out.set_spilled_bytes(counts.spilled_bytes);
                  for (const Model& model : deps_.models->List())
                    *out.add_models() = ToProto(model);
                  return absl::OkStatus();
                });
}

grpc::ServerUnaryReactor* ServerService::GetLimits(grpc::CallbackServerContext* context,
                                                   const v1::GetLimitsRequest* request,
                                                   v1::Limits* reply) {
  return RunNow(deps_, "Server.GetLimits", context, *request, reply, [this](v1::Limits& out) {
    out = ToProto(deps_.limits);
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* ServerService::Drain(grpc::CallbackServerContext* context,
                                               const v1::DrainRequest* request,
                                               v1::DrainReply* reply) {
  return RunNow(deps_, "Server.Drain", context, *request, reply,
                [&](v1::DrainReply& out) -> absl::Status {
                  ASSIGN_OR_RETURN(const DrainTimes times, FromProto(*request, deps_.drain_times));
                  const DrainPlan plan = deps_.begin_drain(times);
                  const SessionTable::Counts counts = deps_.sessions->counts();
                  *out.mutable_refuses_at() = ToProto(plan.refuse_at);
                  *out.mutable_cancels_at() = ToProto(plan.cancel_at);
                  out.set_sessions(counts.sessions);
                  out.set_envs(static_cast<uint32_t>(counts.envs));
                  return absl::OkStatus();
                });
}

}  // namespace gwm::server
