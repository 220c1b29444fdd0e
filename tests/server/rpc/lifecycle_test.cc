// The server's own face: spec, limits, health, reflection, metrics, shutting down, addresses.
#include <arpa/inet.h>
#include <grpcpp/generic/generic_stub.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <future>

#include "grpc/health/v1/health.grpc.pb.h"
#include "server/bin/health_probe.h"
#include "tests/server/rpc/server_fixture.h"

namespace gwm::server {
namespace {

using grpc::health::v1::HealthCheckResponse;

class LifecycleTest : public ServerTest {
 protected:
  HealthCheckResponse::ServingStatus HealthOf(const std::string& service) {
    grpc::ClientContext context;
    grpc::health::v1::HealthCheckRequest request;
    request.set_service(service);
    HealthCheckResponse response;
    const auto stub = grpc::health::v1::Health::NewStub(channel_);
    const grpc::Status status = stub->Check(&context, request, &response);
    return status.ok() ? response.status() : HealthCheckResponse::SERVICE_UNKNOWN;
  }
  // The whole answer to GET `path`.
  std::string HttpGet(const std::string& path) const {
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{.sin_family = AF_INET,
                        .sin_port = htons(static_cast<uint16_t>(server_->metrics_port()))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    std::string answer;
    if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0) {
      const std::string request = "GET " + path + " HTTP/1.0\r\n\r\n";
      EXPECT_EQ(write(fd, request.data(), request.size()), static_cast<ssize_t>(request.size()));
      char buffer[4096];
      for (ssize_t n = 0; (n = read(fd, buffer, sizeof(buffer))) > 0;) {
        answer.append(buffer, static_cast<size_t>(n));
      }
    }
    close(fd);
    return answer;
  }
};

TEST_F(LifecycleTest, TheSpecListsWhatWorks) {
  v1::SimulatorSpec spec;
  ASSERT_TRUE(Call(*simulator_, &v1::Simulator::Stub::GetSpec, v1::GetSpecRequest(), &spec).ok());
  EXPECT_EQ(spec.model_id(), "fake");
  ASSERT_EQ(spec.actions_size(), 1);
  EXPECT_EQ(spec.actions(0).shape(0), 2);
  EXPECT_EQ(spec.actions(0).max(), 1);
  EXPECT_EQ(spec.observations_size(), 4);
  EXPECT_EQ(spec.rpcs_size(), 29);
  EXPECT_EQ(spec.determinism(), v1::DETERMINISM_BATCH_INVARIANT);
  EXPECT_EQ(std::vector<std::string>(spec.inits().begin(), spec.inits().end()),
            (std::vector<std::string>{"pool", "frames", "state"}));
  // Each observation that is listed can be asked for, and comes as described.
  std::vector<std::string> names;
  for (const auto& field : spec.observations()) names.push_back(field.name());
  const std::string id = Ready(2, 7, names);
  v1::StepReply reply;
  ASSERT_TRUE(Step(StepOf(id, {0.5f, 0.5f}), &reply).ok());
  for (const auto& field : spec.observations()) {
    const v1::Tensor& tensor = reply.observations().at(field.name());
    EXPECT_EQ(tensor.dtype(), field.dtype());
    std::vector<int64_t> shape = {2};
    shape.insert(shape.end(), field.shape().begin(), field.shape().end());
    EXPECT_EQ(fakes::Shape(tensor), shape) << field.name();
  }
}

TEST_F(LifecycleTest, LimitsAndInfoShowWhatIsInForce) {
  v1::Limits limits;
  ASSERT_TRUE(Call(*info_, &v1::Server::Stub::GetLimits, v1::GetLimitsRequest(), &limits).ok());
  EXPECT_EQ(limits.max_state_bytes(), 3200u);  // half of the 64 states of 100 bytes of the pool
  EXPECT_EQ(limits.max_envs(), 32u);
  EXPECT_EQ(limits.max_list_page(), 100u);
  EXPECT_EQ(limits.tombstone_ttl().seconds(), 3600);
  EXPECT_EQ(limits.default_idle_ttl().seconds(), 300);
  Ready(3);
  v1::ServerInfo info;
  ASSERT_TRUE(
      Call(*info_, &v1::Server::Stub::GetServerInfo, v1::GetServerInfoRequest(), &info).ok());
  EXPECT_EQ(info.version(), "1.2.3");
  EXPECT_EQ(info.sessions(), 1u);
  EXPECT_EQ(info.envs(), 3u);
  EXPECT_EQ(info.state_bytes(), 300u);
}

TEST_F(LifecycleTest, HealthKnowsServerServicesAndModel) {
  for (const char* name :
       {"", "gwm.v1.Simulator", "gwm.v1.Perception", "gwm.v1.Server", "model/fake"}) {
    EXPECT_EQ(HealthOf(name), HealthCheckResponse::SERVING) << name;
  }
  EXPECT_EQ(HealthOf("gwm.v1.Other"), HealthCheckResponse::SERVICE_UNKNOWN);
  EXPECT_TRUE(ProbeHealth(server_->addresses().front(), absl::Seconds(5)).ok());
  server_->BeginDrain();
  EXPECT_EQ(HealthOf(""), HealthCheckResponse::NOT_SERVING);
  // Going out of service is no reason to be restarted.
  EXPECT_EQ(HealthOf("liveness"), HealthCheckResponse::SERVING);
  EXPECT_TRUE(ProbeHealth(server_->addresses().front(), absl::Seconds(5)).ok());
}

TEST_F(LifecycleTest, AWatchedHealthDoesNotHoldTheShutdownUp) {
  grpc::ClientContext context;
  const auto stub = grpc::health::v1::Health::NewStub(channel_);
  auto watch = stub->Watch(&context, {});
  HealthCheckResponse response;
  ASSERT_TRUE(watch->Read(&response));
  EXPECT_EQ(response.status(), HealthCheckResponse::SERVING);
  server_->Shutdown(absl::Hours(1));
  EXPECT_TRUE(watch->Read(&response));
  EXPECT_EQ(response.status(), HealthCheckResponse::NOT_SERVING);
}

TEST_F(LifecycleTest, MetricsCountWhatClientsDid) {
  options_.metrics_listen = "127.0.0.1:0";
  StartServer();
  const std::string id = Ready(2);
  v1::StepReply reply;
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(Step(StepOf(id, {0.1f, 0.1f}), &reply).ok());
  EXPECT_FALSE(Step(StepOf(id, {0.1f}), &reply).ok());
  const std::string page = HttpGet("/metrics");
  for (const char* line :
       {"gwm_env_steps_total{model=\"fake\"} 6", "gwm_denoiser_calls_total{model=\"fake\"} 12",
        "gwm_rpc_started_total{rpc=\"Simulator.Step\"} 4",
        "gwm_rpc_in_flight{rpc=\"Simulator.Step\"} 0", "gwm_sessions 1", "gwm_envs 2",
        "gwm_sessions_created_total 1", "gwm_state_pool_used_bytes 200", "gwm_ready 1",
        "gwm_build_info{device=\"cpu\",model=\"fake\",version=\"1.2.3\"} 1"}) {
    EXPECT_NE(page.find(line), std::string::npos) << line << "\n" << page;
  }
  EXPECT_NE(page.find("code=\"INVALID_ARGUMENT\",rpc=\"Simulator.Step\"} 1"), std::string::npos);
  EXPECT_NE(HttpGet("/healthz").find("200 OK"), std::string::npos);
  server_->BeginDrain();
  EXPECT_NE(HttpGet("/healthz").find("503"), std::string::npos);
  EXPECT_NE(HttpGet("/livez").find("200 OK"), std::string::npos);
}

TEST_F(LifecycleTest, AnUnknownMethodIsUnimplemented) {
  grpc::GenericStub stub(channel_);
  grpc::ClientContext context;
  const grpc::Slice nothing;
  grpc::ByteBuffer request(&nothing, 1), response;
  const grpc::StubOptions options;
  std::promise<grpc::Status> answered;
  stub.UnaryCall(&context, "/gwm.v1.Simulator/Teleport", options, &request, &response,
                 [&](grpc::Status s) { answered.set_value(s); });
  EXPECT_EQ(answered.get_future().get().error_code(), grpc::UNIMPLEMENTED);
}

TEST_F(LifecycleTest, ListensOnUnixSocketsAndTcpAtOnce) {
  const std::string path = ::testing::TempDir() + "gwm_test_" + std::to_string(getpid()) + ".sock";
  ServerOptions options;
  options.listen = {"unix:" + path, "127.0.0.1:0"};
  auto server = Server::Start({.options = options,
                               .world = [this] { return fakes::MakeFakeWorld(controls_); },
                               .clock = &clock_,
                               .log = &log_,
                               .random = CountingRandom(1),
                               .version = "1.2.3"});
  ASSERT_TRUE(server.ok()) << server.status();
  for (const std::string& address : (*server)->addresses()) {
    EXPECT_TRUE(ProbeHealth(address, absl::Seconds(5)).ok()) << address;
  }
}

TEST_F(LifecycleTest, ASecondServerOnTheSamePortFailsToStart) {
  ServerOptions options;
  options.listen = {server_->addresses().front()};
  const auto second = Server::Start({.options = options,
                                     .world = [this] { return fakes::MakeFakeWorld(controls_); },
                                     .clock = &clock_,
                                     .log = &log_,
                                     .random = CountingRandom(1),
                                     .version = "1.2.3"});
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(LifecycleTest, AWorldThatCannotBeOpenedFailsTheStart) {
  const auto server = Server::Start({.options = options_,
                                     .world = []() -> absl::StatusOr<std::unique_ptr<World>> {
                                       return absl::NotFoundError("no checkpoint");
                                     },
                                     .clock = &clock_,
                                     .log = &log_,
                                     .random = CountingRandom(1),
                                     .version = "1.2.3"});
  EXPECT_EQ(server.status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace gwm::server
