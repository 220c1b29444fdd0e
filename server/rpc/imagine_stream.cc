#include "server/rpc/imagine_stream.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/error.h"
#include "server/base/status.h"
#include "server/convert/session_reply.h"
#include "server/convert/session_request.h"
#include "server/rpc/find_state.h"
#include "server/rpc/image_count.h"
#include "server/work/perception_work.h"

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
  if (request.has_state()) return BeginAtState(request);
  ASSIGN_OR_RETURN(SessionCall target,
                   FindEnv(deps_, shared_from_this(), request.session_id(), request.env_id()));
  const SessionConfig& config = target.session->config();
  ASSIGN_OR_RETURN(const ImagineArgs args,
                   ParseImagine(request, config.sampler_calls, deps_.device->spec(), deps_.limits));
  ASSIGN_OR_RETURN(auto envs, ReadRunning(*target.session, target.env_ids));
  return Roll({.env = std::move(envs.front()),
               .max_episode_steps = config.max_episode_steps,
               .session = std::move(target.session)},
              args);
}

absl::Status ImagineStream::BeginAtState(const v1::ImagineRequest& request) {
  if (!request.session_id().empty()) {
    return BadField("state", "only allowed without session_id");
  }
  const WorldSpec& spec = deps_.device->spec();
  ASSIGN_OR_RETURN(const ImagineArgs args,
                   ParseImagine(request, spec.default_sampler_calls, spec, deps_.limits));
  ASSIGN_OR_RETURN(StartState start, FindState(deps_, request.state(), "state"));
  uint32_t horizon = 0;
  if (const auto* content = std::get_if<StateContent>(&start)) horizon = content->max_episode_steps;
  deps_.device->Submit(std::make_unique<WorldCall<Env>>(
      shared_from_this(),
      [start = std::move(start)](World& world) { return Materialise(world, start); },
      Answer<Env>([stream = shared_from_this(), args, horizon](absl::StatusOr<Env> env) {
        const absl::Status status =
            !env.ok() ? env.status()
                      : stream->Roll({.env = *std::move(env), .max_episode_steps = horizon}, args);
        if (!status.ok()) stream->End(status);
      })));
  return absl::OkStatus();
}

absl::Status ImagineStream::Roll(RolloutStart start, const ImagineArgs& args) {
  ASSIGN_OR_RETURN(
      rollout_,
      ImagineRollout::Create(shared_from_this(), std::move(start), args, deps_.device,
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
  FillChunk(*std::move(chunk), deps_.state_key, chunk_);
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
