#include "server/rpc/perception_service.h"

#include <memory>
#include <utility>

#include "server/base/status.h"
#include "server/convert/perception_request.h"
#include "server/convert/scene.h"
#include "server/convert/session_reply.h"
#include "server/rpc/call.h"
#include "server/rpc/image_count.h"
#include "server/work/perception_work.h"

namespace gwm::server {
namespace {

// Encode and Features: the same frames, another target. `fill` puts the result into the reply.
template <typename Request, typename Reply, typename Fill>
absl::Status EncodeFrames(const RpcDeps& deps, std::shared_ptr<Call<Reply>> call,
                          const Request& request, EncodeTo target, Fill fill) {
  ASSIGN_OR_RETURN(const WorldHandle on,
                   deps.models->Find(request.model_id(), request.checkpoint_digest()));
  ASSIGN_OR_RETURN(FramesBatch parsed,
                   ParsePerceptionFrames(request.frames(), on->spec(), deps.limits));
  // Shared because std::function copies what it holds.
  auto batch = std::make_shared<const FramesBatch>(std::move(parsed));
  deps.device->Submit(std::make_unique<WorldCall<EncodeResult>>(
      call, on, [batch, target](World& world) { return Encode(world, *batch, target); },
      Answer<EncodeResult>([call, fill](absl::StatusOr<EncodeResult> result) {
        call->FinishWith(std::move(result), fill);
      }),
      Demand{.stage = Stage::kEncode, .rows = static_cast<int>(batch->rows.size())}));
  return absl::OkStatus();
}

}  // namespace

grpc::ServerUnaryReactor* PerceptionService::Encode(grpc::CallbackServerContext* context,
                                                    const v1::EncodeRequest* request,
                                                    v1::EncodeReply* reply) {
  return Enqueue(deps_, "Perception.Encode", context, *request, reply, [&](auto call) {
    return EncodeFrames(deps_, call, *request, EncodeTo::kLatents, FillEncode);
  });
}

grpc::ServerUnaryReactor* PerceptionService::Features(grpc::CallbackServerContext* context,
                                                      const v1::FeaturesRequest* request,
                                                      v1::FeaturesReply* reply) {
  return Enqueue(deps_, "Perception.Features", context, *request, reply, [&](auto call) {
    return EncodeFrames(deps_, call, *request, EncodeTo::kFeatures, FillFeatures);
  });
}

grpc::ServerUnaryReactor* PerceptionService::Decode(grpc::CallbackServerContext* context,
                                                    const v1::DecodeRequest* request,
                                                    v1::DecodeReply* reply) {
  return Enqueue(
      deps_, "Perception.Decode", context, *request, reply, [&](auto call) -> absl::Status {
        ASSIGN_OR_RETURN(const WorldHandle on,
                         deps_.models->Find(request->model_id(), request->checkpoint_digest()));
        ASSIGN_OR_RETURN(DecodeArgs parsed, ParseDecode(*request, on->spec(), deps_.limits));
        auto args = std::make_shared<const DecodeArgs>(std::move(parsed));
        deps_.device->Submit(std::make_unique<WorldCall<Images>>(
            call, on, [args](World& world) { return gwm::server::Decode(world, *args); },
            Answer<Images>([call, this](absl::StatusOr<Images> images) {
              if (images.ok()) CountImages(*images, *deps_.metrics);
              call->FinishWith(std::move(images), FillImages<v1::DecodeReply>);
            }),
            Demand{.stage = Stage::kRender, .rows = static_cast<int>(args->latents.size())}));
        return absl::OkStatus();
      });
}

}  // namespace gwm::server
