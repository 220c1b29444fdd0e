#include "server/rpc/perception_service.h"

#include <memory>
#include <utility>

#include "server/base/status.h"
#include "server/convert/perception_reply.h"
#include "server/convert/perception_request.h"
#include "server/convert/scene.h"
#include "server/convert/session_reply.h"
#include "server/rpc/call.h"
#include "server/rpc/image_count.h"
#include "server/work/perception_work.h"

namespace gwm::server {
namespace {

// A call on `args` of `rows` worlds, which live as long as it. `work` runs on the device thread,
// `fill` puts its result into the reply.
template <typename Result, typename Args, typename Reply, typename Work, typename Fill>
void Submit(const RpcDeps& deps, std::shared_ptr<Call<Reply>> call, const WorldHandle& on,
            Args parsed, Work work, Fill fill) {
  const int rows = static_cast<int>(parsed.frames.rows.size());
  // Shared because std::function copies what it holds.
  auto args = std::make_shared<const Args>(std::move(parsed));
  deps.device->Submit(std::make_unique<WorldCall<Result>>(
      call, on, [args, work](World& world) { return work(world, *args); },
      Answer<Result>([call, fill](absl::StatusOr<Result> result) {
        call->FinishWith(std::move(result), fill);
      }),
      Demand{.stage = Stage::kEncode, .rows = rows}));
}

}  // namespace

grpc::ServerUnaryReactor* PerceptionService::Encode(grpc::CallbackServerContext* context,
                                                    const v1::EncodeRequest* request,
                                                    v1::EncodeReply* reply) {
  return Enqueue(
      deps_, "Perception.Encode", context, *request, reply, [&](auto call) -> absl::Status {
        ASSIGN_OR_RETURN(const WorldHandle on,
                         deps_.models->Find(request->model_id(), request->checkpoint_digest()));
        ASSIGN_OR_RETURN(EncodeArgs args, ParseEncode(*request, on->spec(), deps_.limits));
        Submit<EncodeResult>(deps_, call, on, std::move(args), gwm::server::Encode,
                             [on](EncodeResult result, v1::EncodeReply& out) {
                               FillEncode(std::move(result), on->spec(), out);
                             });
        return absl::OkStatus();
      });
}

grpc::ServerUnaryReactor* PerceptionService::Features(grpc::CallbackServerContext* context,
                                                      const v1::FeaturesRequest* request,
                                                      v1::FeaturesReply* reply) {
  return Enqueue(
      deps_, "Perception.Features", context, *request, reply, [&](auto call) -> absl::Status {
        ASSIGN_OR_RETURN(const WorldHandle on,
                         deps_.models->Find(request->model_id(), request->checkpoint_digest()));
        ASSIGN_OR_RETURN(FeatureArgs args, ParseFeatures(*request, on->spec(), deps_.limits));
        Submit<FeatureResult>(
            deps_, call, on, std::move(args), gwm::server::Features,
            [on, pooling = args.pooling](FeatureResult result, v1::FeaturesReply& out) {
              FillFeatures(std::move(result), on->spec(), pooling, out);
            });
        return absl::OkStatus();
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
