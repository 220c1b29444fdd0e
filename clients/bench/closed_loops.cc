// Loads that send the next request when the last one is answered: unary steps, large images.
#include <atomic>
#include <functional>
#include <optional>

#include "clients/bench/calls.h"

namespace gwm::bench {
namespace {

// One connection with one session, which calls one method all the time.
template <typename Request, typename Reply>
class Caller {
 public:
  using Method = std::function<void(grpc::ClientContext*, const Request*, Reply*,
                                    std::function<void(grpc::Status)>)>;
  Caller(Request request, Method method, std::function<void(const Reply&, Outcome&)> read,
         Measure& measure, const std::atomic<bool>& stopping, Pending& pending)
      : request_(std::move(request)),
        method_(std::move(method)),
        read_(std::move(read)),
        measure_(measure),
        stopping_(stopping),
        pending_(pending) {}

  void Call() {
    pending_.Enter();
    context_.emplace();
    reply_.Clear();
    sent_ = Clock::now();
    method_(&*context_, &request_, &reply_, [this](const grpc::Status& status) { Take(status); });
  }

 private:
  void Take(const grpc::Status& status) {
    Outcome outcome{.ok = status.ok(), .ms = MsSince(sent_)};
    if (status.ok()) {
      read_(reply_, outcome);
    } else {
      outcome.error = ErrorName(status.error_code(), status.error_details());
    }
    measure_.Add(outcome);
    if (!stopping_) Call();
    pending_.Leave();
  }

  const Request request_;
  const Method method_;
  const std::function<void(const Reply&, Outcome&)> read_;
  Measure& measure_;
  const std::atomic<bool>& stopping_;
  Pending& pending_;
  std::optional<grpc::ClientContext> context_;
  Reply reply_;
  Clock::time_point sent_;
};

template <typename Request, typename Reply>
class ClosedLoop : public Load {
 public:
  ClosedLoop(const LoadOptions& options, Measure& measure) : options_(options), measure_(measure) {}

  void Start() override {
    for (int i = 0; i < options_.connections; ++i) {
      auto stub = Dial(options_.address);
      sessions_.push_back(MakeSession(*stub, options_, options_.seed + static_cast<uint64_t>(i)));
      callers_.push_back(MakeCaller(*stub, sessions_.back()));
      stubs_.push_back(std::move(stub));
      // At once: a short lease must not run out while the others are set up.
      callers_.back()->Call();
    }
  }

  void Stop() override {
    stopping_ = true;
    pending_.AwaitNone();
    for (size_t i = 0; i < stubs_.size(); ++i) CloseSession(*stubs_[i], sessions_[i]);
  }

 protected:
  using CallerPtr = std::unique_ptr<Caller<Request, Reply>>;
  virtual CallerPtr MakeCaller(v1::Simulator::Stub& stub, const std::string& session) = 0;

  const LoadOptions options_;
  Measure& measure_;
  std::atomic<bool> stopping_ = false;
  Pending pending_;

 private:
  std::vector<std::unique_ptr<v1::Simulator::Stub>> stubs_;
  std::vector<std::string> sessions_;
  std::vector<CallerPtr> callers_;
};

class Stepping : public ClosedLoop<v1::StepRequest, v1::StepReply> {
 public:
  using ClosedLoop::ClosedLoop;

 private:
  CallerPtr MakeCaller(v1::Simulator::Stub& stub, const std::string& session) override {
    const uint32_t envs = options_.envs;
    return std::make_unique<Caller<v1::StepRequest, v1::StepReply>>(
        StepRequest(session, envs, AskActionDim(stub)),
        [&stub](auto* context, auto* request, auto* reply, auto done) {
          stub.async()->Step(context, request, reply, std::move(done));
        },
        [envs](const v1::StepReply& reply, Outcome& outcome) {
          outcome.env_steps = envs;
          outcome.device_ms = DeviceMs(reply.timing());
        },
        measure_, stopping_, pending_);
  }
};

class Rendering : public ClosedLoop<v1::RenderRequest, v1::RenderReply> {
 public:
  using ClosedLoop::ClosedLoop;

 private:
  CallerPtr MakeCaller(v1::Simulator::Stub& stub, const std::string& session) override {
    v1::RenderRequest request;
    request.set_session_id(session);
    for (uint32_t i = 0; i < options_.images; ++i) {
      v1::Camera& camera = *request.add_cameras();
      const float f = static_cast<float>(options_.width);
      const float cx = f / 2, cy = static_cast<float>(options_.height) / 2;
      for (float v : {f, 0.f, cx, 0.f, f, cy, 0.f, 0.f, 1.f}) camera.add_intrinsics(v);
      for (int k = 0; k < 16; ++k) camera.add_world_from_cam(k % 5 == 0 ? 1.f : 0.f);
      camera.set_width(options_.width);
      camera.set_height(options_.height);
    }
    return std::make_unique<Caller<v1::RenderRequest, v1::RenderReply>>(
        request,
        [&stub](auto* context, auto* in, auto* reply, auto done) {
          stub.async()->Render(context, in, reply, std::move(done));
        },
        [](const v1::RenderReply& reply, Outcome& outcome) {
          outcome.bytes = reply.images().rgb().data().size();
        },
        measure_, stopping_, pending_);
  }
};

}  // namespace

std::unique_ptr<Load> SteppingSessions(const LoadOptions& options, Measure& measure) {
  return std::make_unique<Stepping>(options, measure);
}

std::unique_ptr<Load> LargeReplies(const LoadOptions& options, Measure& measure) {
  return std::make_unique<Rendering>(options, measure);
}

}  // namespace gwm::bench
