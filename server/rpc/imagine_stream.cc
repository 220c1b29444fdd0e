#include "server/rpc/imagine_stream.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/error.h"
#include "server/base/status.h"
#include "server/convert/call_context.h"
#include "server/convert/session_reply.h"
#include "server/convert/session_request.h"
#include "server/rpc/image_count.h"
#include "server/rpc/start_rollout.h"

namespace gwm::server {

grpc::ServerWriteReactor<v1::ImagineChunk>* ImagineStream::Start(
    const RpcDeps& deps, grpc::CallbackServerContext& context, const v1::ImagineRequest& request,
    std::atomic<uint32_t>* open_streams) {
  std::shared_ptr<ImagineStream> stream(new ImagineStream(deps, context, request, open_streams));
  stream->self_ = stream;
  deps.streams->Add(stream);
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
  RETURN_IF_ERROR(ApplyContext(request.context(), deps_.limits, *this));
  const auto stream = shared_from_this();
  return StartRollout<v1::ImagineRequest, ImagineArgs>(
      deps_, request, stream,
      {.parse = ParseImagine,
       .roll = [stream](RolloutStart start,
                        const ImagineArgs& args) { return stream->Roll(std::move(start), args); },
       .fail = [stream](const absl::Status& status) { stream->End(status); }});
}

absl::Status ImagineStream::Roll(RolloutStart start, const ImagineArgs& args) {
  model_id_ = start.world->spec().model_id;
  ASSIGN_OR_RETURN(
      auto rollout,
      ImagineRollout::Create(shared_from_this(), std::move(start), args, deps_.device,
                             [stream = shared_from_this()](absl::StatusOr<ImagineResult> chunk) {
                               stream->TakeChunk(std::move(chunk));
                             }));
  {
    absl::MutexLock lock(&mutex_);
    rollout_ = std::move(rollout);
  }
  RequestChunk();
  return absl::OkStatus();
}

void ImagineStream::RequestChunk() {
  std::shared_ptr<ImagineRollout> rollout;
  {
    absl::MutexLock lock(&mutex_);
    rollout = rollout_;
  }
  if (rollout != nullptr) rollout->RequestChunk();
}

void ImagineStream::Count(const ImagineResult& chunk) const {
  const auto failed =
      static_cast<uint64_t>(std::count_if(chunk.branch_status.begin(), chunk.branch_status.end(),
                                          [](const absl::Status& status) { return !status.ok(); }));
  deps_.metrics->ImaginedSteps(model_id_, chunk.computed_rows, chunk.last ? failed : 0,
                               chunk.computed_rows * chunk.sampler_calls);
  CountImages(chunk.observations, *deps_.metrics);
  deps_.metrics->RpcStages(rpc(), chunk.latency.stages);
}

void ImagineStream::TakeChunk(Chunk chunk) {
  if (chunk.ok()) Count(*chunk);
  {
    absl::MutexLock lock(&mutex_);
    if (over_) return;
    if (writing_) {
      waiting_ = std::move(chunk);
      waiting_since_ = deps_.clock->Now();
      return;
    }
  }
  Send(std::move(chunk));
}

void ImagineStream::Send(Chunk chunk) {
  if (!chunk.ok()) return End(chunk.status());
  const bool last = chunk->last;
  chunk_.Clear();
  FillChunk(*std::move(chunk), deps_.state_key, chunk_);
  bytes_ += chunk_.ByteSizeLong();
  {
    absl::MutexLock lock(&mutex_);
    writing_ = true;
    writing_since_ = deps_.clock->Now();
    last_ = last;
  }
  StartWrite(&chunk_);
  if (!last) RequestChunk();
}

std::optional<ImagineStream::Chunk> ImagineStream::TakeWaiting(absl::Time now) {
  if (!waiting_.has_value()) return std::nullopt;
  deps_.metrics->Backpressure(rpc(), now - waiting_since_);
  return std::exchange(waiting_, std::nullopt);
}

void ImagineStream::OnWriteDone(bool ok) {
  std::optional<Chunk> next;
  bool last = false;
  {
    absl::MutexLock lock(&mutex_);
    writing_ = false;
    if (over_) return;
    next = TakeWaiting(deps_.clock->Now());
    last = last_;
    over_ = !ok || last;
  }
  if (!ok) {
    Cancel();
    End(Alive(deps_.clock->Now(), kPhaseRunning));
  } else if (last) {
    End(absl::OkStatus());
  } else if (next.has_value()) {
    Send(*std::move(next));
  }
}

void ImagineStream::CheckReader(absl::Time now) {
  const absl::Duration timeout = deps_.limits.slow_reader_timeout;
  std::shared_ptr<ImagineRollout> rollout;
  {
    absl::MutexLock lock(&mutex_);
    if (!writing_ || done_ || now < writing_since_ + timeout) return;
    // The status waits behind the chunk; a reader that never comes keeps both.
    if (over_ && now >= writing_since_ + 2 * timeout) CancelWire();
    if (std::exchange(over_, true)) return;
    TakeWaiting(now);
    rollout.swap(rollout_);
  }
  Cancel();  // for the step that may be running
  rollout.reset();
  End(MakeError(absl::StatusCode::kDeadlineExceeded,
                absl::StrCat("a chunk was not read for ", absl::FormatDuration(timeout)),
                {.reason = std::string(kSlowReader), .phase = std::string(kPhaseRunning)}));
}

void ImagineStream::End(const absl::Status& status) {
  if (auto wire = CallRecord::End(status, bytes_)) Finish(*wire);
}

void ImagineStream::OnDone() {
  std::shared_ptr<ImagineRollout> rollout;
  {
    absl::MutexLock lock(&mutex_);
    done_ = true;
    // Stream and rollout hold each other; this ends it.
    rollout.swap(rollout_);
  }
  rollout.reset();
  self_.reset();
}

}  // namespace gwm::server
