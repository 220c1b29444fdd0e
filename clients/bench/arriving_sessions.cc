// Open loop: sessions arrive whether or not the server keeps up.
#include <atomic>
#include <optional>
#include <random>
#include <thread>

#include "clients/bench/calls.h"

namespace gwm::bench {
namespace {

struct Shared {
  LoadOptions options;
  Measure& measure;
  int64_t action_dim = 0;
  std::atomic<bool> stopping = false;
  Pending pending;
  std::atomic<uint64_t> arrived = 0, rejected = 0, finished = 0;
};

// One session from arrival to close; deletes itself.
class Arrival {
 public:
  Arrival(v1::Simulator::Stub& stub, Shared& shared, uint64_t seed)
      : stub_(stub), shared_(shared), create_(CreateRequest(shared.options, seed)) {
    shared_.pending.Enter();
    ++shared_.arrived;
  }
  ~Arrival() { shared_.pending.Leave(); }

  void Create() {
    stub_.async()->CreateSession(Fresh(), &create_, &session_, [this](const grpc::Status& status) {
      if (!status.ok()) return Refused(status);
      reset_.set_session_id(session_.session_id());
      Reset();
    });
  }

 private:
  grpc::ClientContext* Fresh() {
    context_.emplace();
    sent_ = Clock::now();
    const auto deadline = shared_.options.deadline;
    if (deadline.count() > 0) context_->set_deadline(std::chrono::system_clock::now() + deadline);
    return &*context_;
  }

  void Reset() {
    stub_.async()->Reset(Fresh(), &reset_, &reset_reply_, [this](const grpc::Status& status) {
      if (!status.ok()) return Refused(status);
      step_ = StepRequest(session_.session_id(), shared_.options.envs, shared_.action_dim);
      Step();
    });
  }

  // The session comes to nothing: all of its steps miss.
  void Refused(const grpc::Status& status) {
    ++shared_.rejected;
    shared_.measure.Add({.error = ErrorName(status.error_code(), status.error_details())});
    Close();
  }

  void Step() {
    if (shared_.stopping || made_++ >= shared_.options.steps) {
      ++shared_.finished;
      return Close();
    }
    reply_.Clear();
    stub_.async()->Step(Fresh(), &step_, &reply_, [this](const grpc::Status& status) {
      Outcome outcome{.ok = status.ok(), .ms = MsSince(sent_), .env_steps = shared_.options.envs};
      if (status.ok()) {
        outcome.device_ms = DeviceMs(reply_.timing());
        const auto limit = shared_.options.deadline;
        outcome.in_time = limit.count() == 0 || outcome.ms <= static_cast<double>(limit.count());
      } else {
        outcome.error = ErrorName(status.error_code(), status.error_details());
      }
      shared_.measure.Add(outcome);
      Step();
    });
  }

  void Close() {
    if (session_.session_id().empty()) return Done();
    close_.set_session_id(session_.session_id());
    context_.emplace();
    stub_.async()->CloseSession(&*context_, &close_, &close_reply_,
                                [this](const grpc::Status&) { Done(); });
  }

  void Done() { delete this; }

  v1::Simulator::Stub& stub_;
  Shared& shared_;
  std::optional<grpc::ClientContext> context_;
  Clock::time_point sent_;
  int made_ = 0;
  const v1::CreateSessionRequest create_;
  v1::Session session_;
  v1::ResetRequest reset_;
  v1::ResetReply reset_reply_;
  v1::StepRequest step_;
  v1::StepReply reply_;
  v1::CloseSessionRequest close_;
  v1::CloseSessionReply close_reply_;
};

class ArrivingLoad : public Load {
 public:
  ArrivingLoad(const LoadOptions& options, Measure& measure)
      : shared_{.options = options, .measure = measure} {}

  void Start() override {
    for (int i = 0; i < shared_.options.connections; ++i) {
      stubs_.push_back(Dial(shared_.options.address));
    }
    shared_.action_dim = AskActionDim(*stubs_.front());
    thread_ = std::thread([this] { Arrive(); });
  }

  void Stop() override {
    shared_.stopping = true;
    if (thread_.joinable()) thread_.join();
    shared_.pending.AwaitNone();
  }

  nlohmann::json Extra() const override {
    return {{"sessions_arrived", shared_.arrived.load()},
            {"sessions_rejected", shared_.rejected.load()},
            {"sessions_finished", shared_.finished.load()}};
  }

 private:
  void Arrive() {
    std::mt19937_64 random(shared_.options.seed);
    std::exponential_distribution<double> gap_s(shared_.options.rate);
    auto next = Clock::now();
    for (uint64_t number = 0; !shared_.stopping; ++number) {
      // By the clock of the process, not by when the last one was sent: lateness does not thin it.
      next +=
          std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(gap_s(random)));
      std::this_thread::sleep_until(next);
      (new Arrival(*stubs_[number % stubs_.size()], shared_, number))->Create();
    }
  }

  Shared shared_;
  std::vector<std::unique_ptr<v1::Simulator::Stub>> stubs_;
  std::thread thread_;
};

}  // namespace

std::unique_ptr<Load> ArrivingSessions(const LoadOptions& options, Measure& measure) {
  return std::make_unique<ArrivingLoad>(options, measure);
}

}  // namespace gwm::bench
