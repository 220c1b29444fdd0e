// gwm.v1.Perception.
#ifndef GWM_SERVER_RPC_PERCEPTION_SERVICE_H_
#define GWM_SERVER_RPC_PERCEPTION_SERVICE_H_

#include "gwm/v1/perception.grpc.pb.h"
#include "server/rpc/deps.h"

namespace gwm::server {

class PerceptionService final : public v1::Perception::CallbackService {
 public:
  explicit PerceptionService(const RpcDeps& deps) : deps_(deps) {}

  grpc::ServerUnaryReactor* Encode(grpc::CallbackServerContext* context,
                                   const v1::EncodeRequest* request,
                                   v1::EncodeReply* reply) override;
  grpc::ServerUnaryReactor* Decode(grpc::CallbackServerContext* context,
                                   const v1::DecodeRequest* request,
                                   v1::DecodeReply* reply) override;
  grpc::ServerUnaryReactor* Features(grpc::CallbackServerContext* context,
                                     const v1::FeaturesRequest* request,
                                     v1::FeaturesReply* reply) override;

 private:
  const RpcDeps& deps_;
};

}  // namespace gwm::server

#endif  // GWM_SERVER_RPC_PERCEPTION_SERVICE_H_
