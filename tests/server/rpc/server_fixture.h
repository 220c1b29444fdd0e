// A running server on a fake world, with a client for each service.
#ifndef GWM_TESTS_SERVER_RPC_SERVER_FIXTURE_H_
#define GWM_TESTS_SERVER_RPC_SERVER_FIXTURE_H_

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gwm/v1/models.grpc.pb.h"
#include "gwm/v1/perception.grpc.pb.h"
#include "gwm/v1/server.grpc.pb.h"
#include "gwm/v1/simulator.grpc.pb.h"
#include "server/rpc/server.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_world.h"
#include "tests/fakes/protos.h"

namespace gwm::server {

// Different values on every call; `salt` stands for the process.
inline RandomSource CountingRandom(uint64_t salt) {
  auto count = std::make_shared<std::atomic<uint64_t>>(0);
  return [count, salt] { return (salt + ++*count) * 0x9e3779b97f4a7c15; };
}

class ServerTest : public ::testing::Test {
 protected:
  // A clock that leaps just when a work ends makes that work look long, and what comes next would
  // be refused.
  ServerTest() { options_.limits.max_queue_time = absl::Hours(1); }
  void SetUp() override { StartServer(); }

  // Again after changing `options_`: the old server goes first.
  void StartServer() {
    server_.reset();
    options_.listen = {"127.0.0.1:0"};
    options_.warm_up_time = absl::ZeroDuration();
    auto server =
        Server::Start({.options = options_,
                       .world = [controls = controls_] { return fakes::MakeFakeWorld(controls); },
                       .open = open_,
                       .open_trainer = open_trainer_,
                       .clock = &clock_,
                       .log = &log_,
                       .random = CountingRandom(1000 * ++starts_),
                       .version = "1.2.3",
                       .on_drain_call = [this] { ++drain_calls_; },
                       .on_device_lost = [this] { ++device_losses_; }});
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    // A channel of its own per server: none is left from an earlier test.
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    arguments.SetMaxReceiveMessageSize(-1);
    channel_ = grpc::CreateCustomChannel(server_->addresses().front(),
                                         grpc::InsecureChannelCredentials(), arguments);
    simulator_ = v1::Simulator::NewStub(channel_);
    perception_ = v1::Perception::NewStub(channel_);
    models_ = v1::Models::NewStub(channel_);
    info_ = v1::Server::NewStub(channel_);
  }

  template <typename Stub, typename Request, typename Reply>
  grpc::Status Call(Stub& stub,
                    grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Reply*),
                    const Request& request, Reply* reply) {
    grpc::ClientContext context;
    return (stub.*method)(&context, request, reply);
  }

  v1::Session Create(const v1::CreateSessionRequest& request = {}) {
    v1::Session session;
    const grpc::Status status = TryCreate(request, &session);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return session;
  }
  grpc::Status TryCreate(const v1::CreateSessionRequest& request, v1::Session* session) {
    return Call(*simulator_, &v1::Simulator::Stub::CreateSession, request, session);
  }
  grpc::Status Reset(const v1::ResetRequest& request, v1::ResetReply* reply) {
    return Call(*simulator_, &v1::Simulator::Stub::Reset, request, reply);
  }
  grpc::Status Step(const v1::StepRequest& request, v1::StepReply* reply) {
    return Call(*simulator_, &v1::Simulator::Stub::Step, request, reply);
  }
  grpc::Status Render(const v1::RenderRequest& request, v1::RenderReply* reply) {
    return Call(*simulator_, &v1::Simulator::Stub::Render, request, reply);
  }
  grpc::Status Get(const std::string& id, v1::Session* session) {
    v1::GetSessionRequest request;
    request.set_session_id(id);
    return Call(*simulator_, &v1::Simulator::Stub::GetSession, request, session);
  }
  grpc::Status Close(const std::string& id) {
    v1::CloseSessionRequest request;
    request.set_session_id(id);
    v1::CloseSessionReply reply;
    return Call(*simulator_, &v1::Simulator::Stub::CloseSession, request, &reply);
  }

  // A session of `num_envs` environments, all reset from the pool with this seed. Returns its id.
  std::string Ready(uint32_t num_envs = 1, uint64_t seed = 7,
                    const std::vector<std::string>& observations = {}) {
    v1::CreateSessionRequest request;
    request.set_num_envs(num_envs);
    request.set_seed(seed);
    for (const auto& name : observations) request.add_observations(name);
    const std::string id = Create(request).session_id();
    v1::ResetRequest reset;
    reset.set_session_id(id);
    v1::ResetReply reply;
    EXPECT_TRUE(Reset(reset, &reply).ok());
    return id;
  }

  // One step of all environments; every action entry of row i is values[i].
  static v1::StepRequest StepOf(const std::string& id, const std::vector<float>& values) {
    v1::StepRequest request;
    request.set_session_id(id);
    std::vector<float> actions;
    for (float value : values) actions.insert(actions.end(), {value, value});
    *request.mutable_actions() = fakes::F32({static_cast<int64_t>(values.size()), 2}, actions);
    return request;
  }

  // x0 and x1 of each environment, out of its latents.
  std::vector<float> Positions(const std::string& id) {
    v1::RenderRequest request;
    request.set_session_id(id);
    request.add_outputs(v1::RENDER_OUTPUT_GAUSSIANS);
    v1::RenderReply reply;
    EXPECT_TRUE(Render(request, &reply).ok());
    std::vector<float> positions;
    for (const auto& cloud : reply.images().gaussians()) {
      const auto means = fakes::Floats(cloud.means());
      positions.insert(positions.end(), {means[0], means[1]});
    }
    return positions;
  }

  // The value of one line of /metrics: "name" or "name{label=\"value\",...}"; 0 when it is not
  // there.
  double Metric(const std::string& line) {
    const std::string page = "\n" + server_->MetricsText();
    const size_t start = page.find("\n" + line + " ");
    return start == std::string::npos ? 0 : std::stod(page.substr(start + line.size() + 2));
  }

  fakes::FakeClock clock_;
  Log log_{"off"};
  // No probes among the calls that tests count, and no watchdog beside a clock that leaps.
  ServerOptions options_{.health = {.probe_period = absl::ZeroDuration(),
                                    .timeout = absl::InfiniteDuration(),
                                    .watchdog = absl::ZeroDuration()}};
  std::shared_ptr<fakes::FakeWorldControls> controls_ =
      std::make_shared<fakes::FakeWorldControls>();
  TrainerOpener open_trainer_;
  WorldOpener open_;  // of models that are loaded later; none by default
  uint64_t starts_ = 0;
  std::atomic<int> drain_calls_ = 0;
  std::atomic<int> device_losses_ = 0;
  std::unique_ptr<Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::Simulator::Stub> simulator_;
  std::unique_ptr<v1::Perception::Stub> perception_;
  std::unique_ptr<v1::Models::Stub> models_;
  std::unique_ptr<v1::Server::Stub> info_;
};

}  // namespace gwm::server

#endif  // GWM_TESTS_SERVER_RPC_SERVER_FIXTURE_H_
