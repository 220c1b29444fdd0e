#include "server/rpc/imagine_stream.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/error.h"
#include "server/base/status.h"
#include "server/convert/session_reply.h"
#include "server/convert/session_request.h"
#include "server/rpc/image_count.h"

namespace gwm::server {

grpc::ServerWriteReactor<v1::ImagineChunk>* ImagineStream::Start(
    const RpcDeps& deps, grpc::CallbackServerContext& context, const v1::ImagineRequest& request,
    std::atomic<uint32_t>* open_streams) {
  std::shared_ptr<ImagineStream> stream(new ImagineStream(deps, context, request, open_streams));
  stream->self_ = stream;
  const absl::Status status = Guarded([&] { return stream->Begin(request); });
  if (!status.ok()) stream->End(status);
  return stream.get();
}

ImagineStream::ImagineStream(const RpcDeps& deps, grpc::CallbackServerContext& context,
                             const v1::ImagineRequest& request, std::atomic<uint32_t>* open_streams)
    : CallRecord(deps, "Simulator.Imagine", context, request.ByteSizeLong(), CallTime::kUnlimited),
      deps_(deps),
      open_streams_(open_streams),
      has_room_(open_streams->fetch_add(1) < deps.limits.max_imagine_streams) {}

ImagineStream::~ImagineStream() { open_streams_->fetch_sub(1); }

absl::Status ImagineStream::Begin(const v1::ImagineRequest& request) {
  if (!admitted()) return DrainingError();
  if (!has_room_) {
    return MakeError(
        absl::StatusCode::kResourceExhausted,
        absl::StrCat("all ", deps_.limits.max_imagine_streams, " Imagine streams are in use"),
        {.reason = std::string(kOverloaded), .retry_after = absl::Milliseconds(100)});
  }
  ASSIGN_OR_RETURN(SessionUse session, deps_.sessions->Find(request.session_id()));
  const SessionConfig& config = session->config();
  if (request.env_id() >= config.num_envs) {
    return BadField("env_id",
                    absl::StrCat(request.env_id(), "; 0 to ", config.num_envs - 1, " is allowed"));
  }
  ASSIGN_OR_RETURN(ImagineArgs args,
                   ParseImagine(request, config, deps_.device->spec(), deps_.limits));
  SessionCall call{shared_from_this(), std::move(session), {request.env_id()}, deps_.clock};
  ASSIGN_OR_RETURN(
      rollout_,
      ImagineRollout::Create(std::move(call), args, deps_.device,
                             [stream = shared_from_this()](absl::StatusOr<ImagineResult> chunk) {
                               stream->TakeChunk(std::move(chunk));
                             }));
  rollout_->RequestChunk();
  return absl::OkStatus();
}

void ImagineStream::TakeChunk(absl::StatusOr<ImagineResult> chunk) {
  if (!chunk.ok()) {
    End(chunk.status());
    return;
  }
  last_ = chunk->last;
  const auto failed =
      static_cast<uint64_t>(std::count_if(chunk->branch_status.begin(), chunk->branch_status.end(),
                                          [](const absl::Status& status) { return !status.ok(); }));
  deps_.metrics->ImaginedSteps(chunk->computed_rows, last_ ? failed : 0,
                               chunk->computed_rows * chunk->sampler_calls);
  CountImages(chunk->observations, *deps_.metrics);
  chunk_.Clear();
  FillChunk(*std::move(chunk), chunk_);
  bytes_ += chunk_.ByteSizeLong();
  StartWrite(&chunk_);
}

void ImagineStream::OnWriteDone(bool ok) {
  if (!ok) {
    Cancel();
    End(Alive(deps_.clock->Now(), kPhaseRunning));
  } else if (last_) {
    End(absl::OkStatus());
  } else {
    rollout_->RequestChunk();
  }
}

void ImagineStream::End(const absl::Status& status) {
  if (auto wire = CallRecord::End(status, bytes_)) Finish(*wire);
}

void ImagineStream::OnDone() {
  // Stream and rollout hold each other; this ends it.
  rollout_.reset();
  self_.reset();
}

}  // namespace gwm::server
