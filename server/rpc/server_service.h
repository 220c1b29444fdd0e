// gwm.v1.Server.
#ifndef GWM_SERVER_RPC_SERVER_SERVICE_H_
#define GWM_SERVER_RPC_SERVER_SERVICE_H_

#include "gwm/v1/server.grpc.pb.h"
#include "server/rpc/deps.h"

namespace gwm::server {

class ServerService final : public v1::Server::CallbackService {
 public:
  explicit ServerService(const RpcDeps& deps) : deps_(deps) {}

  grpc::ServerUnaryReactor* GetServerInfo(grpc::CallbackServerContext* context,
                                          const v1::GetServerInfoRequest* request,
                                          v1::ServerInfo* reply) override;
  grpc::ServerUnaryReactor* GetLimits(grpc::CallbackServerContext* context,
                                      const v1::GetLimitsRequest* request,
                                      v1::Limits* reply) override;
  grpc::ServerUnaryReactor* Drain(grpc::CallbackServerContext* context,
                                  const v1::DrainRequest* request, v1::DrainReply* reply) override;

 private:
  const RpcDeps& deps_;
};

}  // namespace gwm::server

#endif  // GWM_SERVER_RPC_SERVER_SERVICE_H_
