#include "server/rpc/models_service.h"

#include <utility>

#include "server/base/status.h"
#include "server/convert/model_message.h"
#include "server/rpc/call.h"

namespace gwm::server {
namespace {

void Fill(const Model& model, v1::Model& out) { out = ToProto(model); }

}  // namespace

grpc::ServerUnaryReactor* ModelsService::ListModels(grpc::CallbackServerContext* context,
                                                    const v1::ListModelsRequest* request,
                                                    v1::ListModelsReply* reply) {
  return RunNow(deps_, "Models.ListModels", context, *request, reply,
                [this](v1::ListModelsReply& out) {
                  for (const Model& model : deps_.models->List()) Fill(model, *out.add_models());
                  return absl::OkStatus();
                });
}

grpc::ServerUnaryReactor* ModelsService::GetModel(grpc::CallbackServerContext* context,
                                                  const v1::GetModelRequest* request,
                                                  v1::Model* reply) {
  return RunNow(
      deps_, "Models.GetModel", context, *request, reply, [&](v1::Model& out) -> absl::Status {
        ASSIGN_OR_RETURN(const Model model,
                         deps_.models->Get(request->model_id(), request->checkpoint_digest()));
        Fill(model, out);
        return absl::OkStatus();
      });
}

grpc::ServerUnaryReactor* ModelsService::LoadModel(grpc::CallbackServerContext* context,
                                                   const v1::LoadModelRequest* request,
                                                   v1::Model* reply) {
  return Enqueue(deps_, "Models.LoadModel", context, *request, reply,
                 [&](auto call) -> absl::Status {
                   deps_.models->Load(ParseLoad(*request), [call](absl::StatusOr<Model> model) {
                     call->FinishWith(std::move(model), Fill);
                   });
                   return absl::OkStatus();
                 });
}

grpc::ServerUnaryReactor* ModelsService::UnloadModel(grpc::CallbackServerContext* context,
                                                     const v1::UnloadModelRequest* request,
                                                     v1::Model* reply) {
  return Enqueue(deps_, "Models.UnloadModel", context, *request, reply,
                 [&](auto call) -> absl::Status {
                   ASSIGN_OR_RETURN(const UnloadArgs args, ParseUnload(*request));
                   deps_.models->Unload(args, [call](absl::StatusOr<Model> model) {
                     call->FinishWith(std::move(model), Fill);
                   });
                   return absl::OkStatus();
                 });
}

grpc::ServerUnaryReactor* ModelsService::SetDefaultModel(grpc::CallbackServerContext* context,
                                                         const v1::SetDefaultModelRequest* request,
                                                         v1::Model* reply) {
  return RunNow(deps_, "Models.SetDefaultModel", context, *request, reply,
                [&](v1::Model& out) -> absl::Status {
                  ASSIGN_OR_RETURN(
                      const Model model,
                      deps_.models->SetDefault(request->model_id(), request->checkpoint_digest()));
                  Fill(model, out);
                  return absl::OkStatus();
                });
}

grpc::ServerUnaryReactor* ModelsService::WarmUp(grpc::CallbackServerContext* context,
                                                const v1::WarmUpRequest* request,
                                                v1::WarmUpReply* reply) {
  return Enqueue(deps_, "Models.WarmUp", context, *request, reply, [&](auto call) -> absl::Status {
    ASSIGN_OR_RETURN(WorldHandle world,
                     deps_.models->Find(request->model_id(), request->checkpoint_digest()));
    ASSIGN_OR_RETURN(const uint32_t rows, ParseWarmUp(*request, deps_.limits));
    deps_.models->WarmUpLater(std::move(world), rows, [call](absl::StatusOr<WarmUpTimes> times) {
      call->FinishWith(std::move(times), FillWarmUp);
    });
    return absl::OkStatus();
  });
}

}  // namespace gwm::server
