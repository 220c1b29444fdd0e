#include "server/rpc/server_service.h"

#include <string>
#include <string_view>

#include "server/convert/config.h"
#include "server/convert/duration.h"
#include "server/convert/spec.h"
#include "server/rpc/call.h"

namespace gwm::server {

grpc::ServerUnaryReactor* ServerService::GetServerInfo(grpc::CallbackServerContext* context,
                                                       const v1::GetServerInfoRequest* request,
                                                       v1::ServerInfo* reply) {
  return RunNow(deps_, "Server.GetServerInfo", context, *request, reply,
                [this](v1::ServerInfo& out) {
                  const WorldSpec& spec = deps_.device->spec();
                  const SessionTable::Counts counts = deps_.sessions->counts();
                  out.set_server_instance_id(deps_.instance_id);
                  out.set_version(deps_.version);
                  *out.mutable_start_time() = ToProto(deps_.started_at);
                  out.set_model_id(spec.model_id);
                  out.set_checkpoint_digest(spec.checkpoint_digest);
                  out.set_device(spec.device);
                  for (std::string_view rpc : AnsweredRpcs()) out.add_rpcs(std::string(rpc));
                  out.set_sessions(counts.sessions);
                  out.set_envs(static_cast<uint32_t>(counts.envs));
                  out.set_state_bytes(counts.state_bytes);
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

}  // namespace gwm::server
