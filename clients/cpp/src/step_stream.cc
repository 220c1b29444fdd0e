#include "gwm/step_stream.h"

#include <map>
#include <numeric>
#include <set>
#include <utility>

#include "clients/cpp/src/convert.h"
#include "clients/cpp/src/session_state.h"
#include "clients/cpp/src/wire.h"

namespace gwm::client {
namespace {

[[noreturn]] void ThrowBadSend(const std::string& field, const std::string& message) {
  throw Error({.code = Code::kInvalidArgument, .field = field, .message = message});
}

}  // namespace

class StepStream::Pipe {
 public:
  Pipe(std::shared_ptr<internal::Wire> wire, Session::State* session)
      : wire_(std::move(wire)), session_(session) {
    auto retry = wire_->StartRetry({}, internal::Repeat::kSafe);
    while (!Open()) AwaitRetry(retry);
  }
  ~Pipe() {
    if (stream_ == nullptr) return;
    context_->TryCancel();
    static_cast<void>(stream_->Finish());
  }

  void Send(const Tensor& actions, const StepOptions& options) {
    RequireStream();
    std::vector<uint32_t> envs = options.env_ids;
    if (envs.empty()) {
      envs.resize(session_->num_envs);
      std::iota(envs.begin(), envs.end(), 0u);
    }
    for (uint32_t env : envs) {
      if (busy_.count(env) > 0) {
        ThrowBadSend("env_ids", "environment " + std::to_string(env) + " waits for an answer");
      }
    }
    if (sent_.size() >= window_) {
      ThrowBadSend("", std::to_string(window_) + " calls are on their way; Recv first");
    }
    v1::RunRequest request;
    request.set_tag(++last_tag_);
    *request.mutable_step() = session_->StepOf(actions, options);
    wire_->SetPriority(*request.mutable_step());
    busy_.insert(envs.begin(), envs.end());
    const Sent& kept = sent_[last_tag_] = {std::move(request), std::move(envs)};
    // A stream that broke is noticed, and mended, by Recv.
    static_cast<void>(stream_->Write(kept.request));
  }

  Answer Recv() {
    RequireStream();
    if (sent_.empty()) ThrowBadSend("", "nothing is on its way; Send first");
    auto retry = wire_->StartRetry({}, session_->repeat());
    while (true) {
      v1::RunResponse response;
      while (stream_->Read(&response)) {
        const auto found = sent_.find(response.tag());
        if (found != sent_.end()) return Take(found, response);
      }
      AwaitRetry(retry);
      if (Open()) Resend();
    }
  }

  uint32_t window() const { return window_; }
  size_t in_flight() const { return sent_.size(); }
  const std::vector<uint32_t>& failed() const { return failed_; }

 private:
  struct Sent {
    v1::RunRequest request;
    std::vector<uint32_t> env_ids;
  };

  void RequireStream() const {
    if (stream_ != nullptr) return;
    throw Error({.code = Code::kUnavailable, .message = "the stream has ended; open another one"});
  }

  bool Open() {
    context_ = std::make_unique<grpc::ClientContext>();
    stream_ = wire_->simulator().Run(context_.get());
    v1::RunResponse response;
    if (!stream_->Read(&response)) return false;
    window_ = response.opened().window();
    return true;
  }

  // The stream has ended: waits until it can be opened again, or throws why it ended.
  void AwaitRetry(internal::Wire::Retry& retry) {
    grpc::Status status = stream_->Finish();
    if (status.ok()) status = {grpc::StatusCode::UNAVAILABLE, "the server ended the stream"};
    const Error::Details details = internal::DetailsOf(status, *context_);
    if (wire_->WaitForRetry(details, retry)) return;
    stream_.reset();
    throw Error(details);
  }

  void Resend() {
    for (const auto& [tag, sent] : sent_) static_cast<void>(stream_->Write(sent.request));
  }

  Answer Take(std::map<uint64_t, Sent>::iterator found, v1::RunResponse& response) {
    Answer answer{.env_ids = std::move(found->second.env_ids), .result = {}};
    sent_.erase(found);
    for (uint32_t env : answer.env_ids) busy_.erase(env);
    if (response.has_error()) {
      failed_ = std::move(answer.env_ids);
      throw Error(internal::DetailsFromStatus(
          {static_cast<grpc::StatusCode>(response.error().code()), response.error().message(),
           response.error().SerializeAsString()}));
    }
    answer.result = internal::FromProto(response.mutable_step());
    session_->Note(answer.env_ids, answer.result.step_index);
    return answer;
  }

  const std::shared_ptr<internal::Wire> wire_;
  Session::State* const session_;
  std::unique_ptr<grpc::ClientContext> context_;
  // Null: it ended for good.
  std::unique_ptr<grpc::ClientReaderWriter<v1::RunRequest, v1::RunResponse>> stream_;
  uint32_t window_ = 0;
  uint64_t last_tag_ = 0;
  std::map<uint64_t, Sent> sent_;  // by tag: in the order of sending
  std::set<uint32_t> busy_;
  std::vector<uint32_t> failed_;
};

StepStream::StepStream(std::unique_ptr<Pipe> pipe) : pipe_(std::move(pipe)) {}
StepStream::StepStream(StepStream&& other) noexcept = default;
StepStream& StepStream::operator=(StepStream&& other) noexcept = default;
StepStream::~StepStream() = default;

uint32_t StepStream::window() const { return pipe_->window(); }
size_t StepStream::in_flight() const { return pipe_->in_flight(); }
void StepStream::Send(const Tensor& actions, const StepOptions& options) {
  pipe_->Send(actions, options);
}
StepStream::Answer StepStream::Recv() { return pipe_->Recv(); }
const std::vector<uint32_t>& StepStream::failed_env_ids() const { return pipe_->failed(); }

StepStream Session::Run() {
  static_cast<void>(id());  // throws when the session is closed
  return StepStream(std::make_unique<StepStream::Pipe>(wire_, state_.get()));
}

}  // namespace gwm::client
