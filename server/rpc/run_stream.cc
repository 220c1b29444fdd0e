#include "server/rpc/run_stream.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/error.h"
#include "server/base/grpc_status.h"
#include "server/rpc/verbs.h"

namespace gwm::server {
namespace {

void SetError(const grpc::Status& wire, v1::RunResponse& response) {
  google::rpc::Status& error = *response.mutable_error();
  error.ParseFromString(wire.error_details());
  error.set_code(wire.error_code());
  error.set_message(wire.error_message());
}

// The call behind one request.
template <typename Reply>
class RunCall final : public Call<Reply> {
 public:
  RunCall(const RpcDeps& deps, const char* rpc, std::shared_ptr<RunStream> stream,
          std::shared_ptr<RunTurn> turn, Reply* reply)
      : Call<Reply>(deps, rpc, *stream, turn->request.ByteSizeLong()),
        stream_(std::move(stream)),
        turn_(std::move(turn)),
        reply_(reply) {}

  Reply& reply() override { return *reply_; }

 private:
  void Send(const grpc::Status& wire) override {
    if (!wire.ok()) SetError(wire, turn_->response);
    stream_->Answer(turn_);
  }

  const std::shared_ptr<RunStream> stream_;
  const std::shared_ptr<RunTurn> turn_;
  Reply* const reply_;
};

}  // namespace

grpc::ServerBidiReactor<v1::RunRequest, v1::RunResponse>* RunStream::Start(
    const RpcDeps& deps, grpc::CallbackServerContext& context,
    std::atomic<uint32_t>* open_streams) {
  std::shared_ptr<RunStream> stream(new RunStream(deps, context, open_streams));
  stream->self_ = stream;
  stream->Open();
  return stream.get();
}

RunStream::RunStream(const RpcDeps& deps, grpc::CallbackServerContext& context,
                     std::atomic<uint32_t>* open_streams)
    : CallRecord(deps, "Simulator.Run", context, 0, CallTime::kUnlimited),
      deps_(deps),
      open_streams_(open_streams),
      has_room_(open_streams->fetch_add(1) < deps.limits.max_run_streams) {}

RunStream::~RunStream() { open_streams_->fetch_sub(1); }

void RunStream::Open() {
  absl::Status refused;
  if (!admitted()) {
    refused = DrainingError();
  } else if (!has_room_) {
    refused =
        MakeError(absl::StatusCode::kResourceExhausted,
                  absl::StrCat("all ", deps_.limits.max_run_streams, " Run streams are in use"),
                  {.reason = std::string(kOverloaded), .retry_after = absl::Milliseconds(100)});
  }
  if (!refused.ok()) {
    absl::MutexLock lock(&mutex_);
    finished_ = true;
    if (auto wire = End(refused, 0)) Finish(*wire);
    return;
  }
  {
    absl::MutexLock lock(&mutex_);
    auto opened = std::make_shared<RunTurn>();
    opened->response.mutable_opened()->set_window(deps_.limits.max_run_window);
    answers_.push_back(std::move(opened));
    WriteNext();
    ReadNext();
  }
  gate_watch_ = deps_.gate->OnClose([stream = weak_from_this()] {
    if (const auto alive = stream.lock()) alive->Drain();
  });
}

void RunStream::Dispatch(const std::shared_ptr<RunTurn>& turn) {
  const v1::RunRequest& in = turn->request;
  v1::RunResponse& out = turn->response;
  out.set_tag(in.tag());
  switch (in.request_case()) {
    case v1::RunRequest::kReset:
      return Take("Simulator.Run.Reset", turn, in.reset(), out.mutable_reset(), StartReset);
    case v1::RunRequest::kStep:
      return Take("Simulator.Run.Step", turn, in.step(), out.mutable_step(), StartStep);
    case v1::RunRequest::kRender:
      return Take("Simulator.Run.Render", turn, in.render(), out.mutable_render(), StartRender);
    case v1::RunRequest::kFork:
      return Take("Simulator.Run.Fork", turn, in.fork(), out.mutable_fork(), StartFork);
    case v1::RunRequest::kObserve:
      return Take("Simulator.Run.Observe", turn, in.observe(), out.mutable_observe(), StartObserve);
    case v1::RunRequest::kClose:
      return Take("Simulator.Run.CloseSession", turn, in.close(), out.mutable_close(), StartClose);
    case v1::RunRequest::REQUEST_NOT_SET:
      break;
  }
  SetError(ToGrpcStatus(BadField("request",
                                 "is not set; one of reset, step, render, fork, "
                                 "observe, close is asked for")),
           out);
  Answer(turn);
}

template <typename Request, typename Reply, typename Verb>
void RunStream::Take(const char* rpc, const std::shared_ptr<RunTurn>& turn, const Request& request,
                     Reply* reply, Verb verb) {
  const auto call = std::make_shared<RunCall<Reply>>(deps_, rpc, shared_from_this(), turn, reply);
  {
    absl::MutexLock lock(&mutex_);
    turn->call = call;
    if (broken_) call->Cancel();
  }
  Begin<Reply>(call, [&](auto begun) {
    const absl::Status origin = ApplyContextOf(request, deps_.limits, *begun);
    return origin.ok() ? verb(deps_, request, std::move(begun)) : origin;
  });
}

void RunStream::Answer(const std::shared_ptr<RunTurn>& turn) {
  const auto self = shared_from_this();  // OnDone may run inside
  absl::MutexLock lock(&mutex_);
  if (broken_) {
    turns_.erase(turn);
  } else {
    answers_.push_back(turn);
    WriteNext();
  }
  FinishIfDone();
}

void RunStream::Drain() {
  const auto self = shared_from_this();
  absl::MutexLock lock(&mutex_);
  draining_ = true;
  FinishIfDone();
}

void RunStream::Break() {
  broken_ = true;
  Cancel();
  for (const auto& answer : answers_) turns_.erase(answer);
  answers_.clear();
  for (const auto& turn : turns_) {
    if (const auto call = turn->call.lock()) call->Cancel();
  }
}

void RunStream::ReadNext() {
  if (reading_ != nullptr || dispatching_ || read_all_ || broken_ || finished_) return;
  if (turns_.size() >= deps_.limits.max_run_window) return;
  reading_ = std::make_shared<RunTurn>();
  StartRead(&reading_->request);
}

void RunStream::WriteNext() {
  if (writing_ != nullptr || answers_.empty()) return;
  writing_ = std::move(answers_.front());
  answers_.pop_front();
  bytes_ += writing_->response.ByteSizeLong();
  StartWrite(&writing_->response);
}

void RunStream::FinishIfDone() {
  if (finished_ || !turns_.empty() || writing_ != nullptr) return;
  if (!read_all_ && !broken_ && !draining_) return;
  finished_ = true;
  absl::Status status = Alive(deps_.clock->Now(), kPhaseRunning);
  if (status.ok() && !read_all_) status = DrainingError();
  if (auto wire = End(status, bytes_)) Finish(*wire);
}

void RunStream::OnReadDone(bool ok) {
  const auto self = shared_from_this();
  std::shared_ptr<RunTurn> turn;
  {
    absl::MutexLock lock(&mutex_);
    turn = std::exchange(reading_, nullptr);
    if (finished_) return;
    if (ok) {
      turns_.insert(turn);
      dispatching_ = true;
    } else {
      read_all_ = true;
      FinishIfDone();
    }
  }
  if (!ok) return;
  Dispatch(turn);
  absl::MutexLock lock(&mutex_);
  dispatching_ = false;
  ReadNext();
}

void RunStream::OnWriteDone(bool ok) {
  const auto self = shared_from_this();
  absl::MutexLock lock(&mutex_);
  turns_.erase(std::exchange(writing_, nullptr));
  if (!ok && !broken_) Break();
  WriteNext();
  ReadNext();
  FinishIfDone();
}

void RunStream::OnCancel() {
  const auto self = shared_from_this();
  absl::MutexLock lock(&mutex_);
  if (!broken_) Break();
  FinishIfDone();
}

void RunStream::OnDone() {
  deps_.gate->Forget(gate_watch_);
  self_.reset();
}

}  // namespace gwm::server
