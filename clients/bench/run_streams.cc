// Simulator.Run, its window filled: every environment has a step on its way.
#include <algorithm>
#include <atomic>
#include <stdexcept>
#include <thread>

#include "clients/bench/calls.h"

namespace gwm::bench {
namespace {

// One connection: one stream, one session, one thread. Only the answer to a request makes room for
// the next one, so the thread can read and write in turns.
class RunLoop {
 public:
  RunLoop(const LoadOptions& options, Measure& measure, uint64_t seed)
      : options_(options), measure_(measure), stub_(Dial(options.address)) {
    session_ = MakeSession(*stub_, options_, seed);
    stream_ = stub_->Run(&context_);
    v1::RunResponse opened;
    if (!stream_->Read(&opened)) throw std::runtime_error(stream_->Finish().error_message());
    in_flight_ = std::min(opened.opened().window(), options_.envs);
    *request_.mutable_step() = StepRequest(session_, 1, AskActionDim(*stub_));
  }

  void Run(const std::atomic<bool>& stopping) {
    sent_.resize(in_flight_);
    for (uint32_t env = 0; env < in_flight_; ++env) Send(env);
    v1::RunResponse response;
    uint32_t open = in_flight_;
    while (open > 0 && stream_->Read(&response)) {
      Count(response);
      if (stopping || !Send(static_cast<uint32_t>(response.tag()))) --open;
    }
    stream_->WritesDone();
    static_cast<void>(stream_->Finish());
    CloseSession(*stub_, session_);
  }

 private:
  bool Send(uint32_t env) {
    request_.set_tag(env);
    request_.mutable_step()->clear_env_ids();
    request_.mutable_step()->add_env_ids(env);
    sent_[env] = Clock::now();
    return stream_->Write(request_);
  }

  void Count(const v1::RunResponse& response) {
    Outcome outcome{.ok = response.has_step(), .ms = MsSince(sent_[response.tag()])};
    if (outcome.ok) {
      outcome.env_steps = 1;
      outcome.device_ms = DeviceMs(response.step().timing());
    } else {
      outcome.error = ErrorName(response.error().code(), response.error().SerializeAsString());
    }
    measure_.Add(outcome);
  }

  const LoadOptions options_;
  Measure& measure_;
  const std::unique_ptr<v1::Simulator::Stub> stub_;
  std::string session_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::RunRequest, v1::RunResponse>> stream_;
  v1::RunRequest request_;
  uint32_t in_flight_ = 0;
  std::vector<Clock::time_point> sent_;
};

class RunLoad : public Load {
 public:
  RunLoad(const LoadOptions& options, Measure& measure) : options_(options), measure_(measure) {}

  void Start() override {
    for (int i = 0; i < options_.connections; ++i) {
      loops_.push_back(
          std::make_unique<RunLoop>(options_, measure_, options_.seed + static_cast<uint64_t>(i)));
    }
    for (const auto& loop : loops_) {
      threads_.emplace_back([&loop, this] { loop->Run(stopping_); });
    }
  }
  void Stop() override {
    stopping_ = true;
    for (std::thread& thread : threads_) thread.join();
  }

 private:
  const LoadOptions options_;
  Measure& measure_;
  std::atomic<bool> stopping_ = false;
  std::vector<std::unique_ptr<RunLoop>> loops_;
  std::vector<std::thread> threads_;
};

}  // namespace

std::unique_ptr<Load> RunStreams(const LoadOptions& options, Measure& measure) {
  return std::make_unique<RunLoad>(options, measure);
}

}  // namespace gwm::bench
