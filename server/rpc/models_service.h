// gwm.v1.Models.
#ifndef GWM_SERVER_RPC_MODELS_SERVICE_H_
#define GWM_SERVER_RPC_MODELS_SERVICE_H_

#include "gwm/v1/models.grpc.pb.h"
#include "server/rpc/deps.h"

namespace gwm::server {

class ModelsService final : public v1::Models::CallbackService {
 public:
  explicit ModelsService(const RpcDeps& deps) : deps_(deps) {}

  grpc::ServerUnaryReactor* ListModels(grpc::CallbackServerContext* context,
                                       const v1::ListModelsRequest* request,
                                       v1::ListModelsReply* reply) override;
  grpc::ServerUnaryReactor* GetModel(grpc::CallbackServerContext* context,
                                     const v1::GetModelRequest* request, v1::Model* reply) override;
  grpc::ServerUnaryReactor* LoadModel(grpc::CallbackServerContext* context,
                                      const v1::LoadModelRequest* request,
                                      v1::Model* reply) override;
  grpc::ServerUnaryReactor* UnloadModel(grpc::CallbackServerContext* context,
                                        const v1::UnloadModelRequest* request,
                                        v1::Model* reply) override;
  grpc::ServerUnaryReactor* SetDefaultModel(grpc::CallbackServerContext* context,
                                            const v1::SetDefaultModelRequest* request,
                                            v1::Model* reply) override;
  grpc::ServerUnaryReactor* WarmUp(grpc::CallbackServerContext* context,
                                   const v1::WarmUpRequest* request,
                                   v1::WarmUpReply* reply) override;

 private:
  const RpcDeps& deps_;
};

}  // namespace gwm::server

#endif  // GWM_SERVER_RPC_MODELS_SERVICE_H_
