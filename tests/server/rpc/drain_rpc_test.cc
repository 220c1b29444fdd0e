// Going out of service: what is still taken when, and what becomes of calls that run.
#include <future>
#include <thread>

#include "grpc/health/v1/health.grpc.pb.h"
#include "tests/server/rpc/server_fixture.h"

namespace gwm::server {
namespace {

using fakes::DetailsOf;
using grpc::health::v1::HealthCheckResponse;

class DrainRpcTest : public ServerTest {
 protected:
  DrainRpcTest() { options_.drain = {.lame_duck = absl::Seconds(5), .timeout = absl::Seconds(25)}; }
  bool Healthy() {
    grpc::ClientContext context;
    HealthCheckResponse response;
    const auto stub = grpc::health::v1::Health::NewStub(channel_);
    EXPECT_TRUE(stub->Check(&context, {}, &response).ok());
    return response.status() == HealthCheckResponse::SERVING;
  }
  grpc::Status Drain(const v1::DrainRequest& request, v1::DrainReply* reply) {
    return Call(*info_, &v1::Server::Stub::Drain, request, reply);
  }
};

TEST_F(DrainRpcTest, TheCallTurnsHealthAtOnceAndTellsWhenWhatHappens) {
  Ready(3);
  EXPECT_TRUE(Healthy());
  const absl::Time now = clock_.Now();
  v1::DrainReply reply;
  ASSERT_TRUE(Drain({}, &reply).ok());
  EXPECT_FALSE(Healthy());
  EXPECT_EQ(drain_calls_, 1);
  EXPECT_EQ(reply.refuses_at().seconds(), absl::ToUnixSeconds(now) + 5);
  EXPECT_EQ(reply.cancels_at().seconds(), absl::ToUnixSeconds(now) + 25);
  EXPECT_EQ(reply.sessions(), 1u);
  EXPECT_EQ(reply.envs(), 3u);
}

TEST_F(DrainRpcTest, TheFirstCallDecidesAndStopsTheProgramOnce) {
  v1::DrainRequest request;
  request.mutable_lame_duck()->set_seconds(1);
  request.mutable_timeout()->set_seconds(2);
  v1::DrainReply first, second;
  ASSERT_TRUE(Drain(request, &first).ok());
  clock_.Advance(absl::Seconds(1));
  request.mutable_timeout()->set_seconds(100);
  ASSERT_TRUE(Drain(request, &second).ok());
  EXPECT_EQ(second.refuses_at().seconds(), first.refuses_at().seconds());
  EXPECT_EQ(second.cancels_at().seconds(), first.cancels_at().seconds());
  EXPECT_EQ(drain_calls_, 1);
  EXPECT_EQ(server_->BeginDrain().cancel_at, server_->drain_plan()->cancel_at);
}

TEST_F(DrainRpcTest, TimesThatCannotBeNameTheirFieldAndChangeNothing) {
  v1::DrainRequest negative;
  negative.mutable_lame_duck()->set_seconds(-1);
  v1::DrainRequest short_timeout;
  short_timeout.mutable_timeout()->set_seconds(4);
  v1::DrainReply reply;
  EXPECT_EQ(DetailsOf(Drain(negative, &reply)).field, "lame_duck");
  EXPECT_EQ(DetailsOf(Drain(short_timeout, &reply)).field, "timeout");
  EXPECT_TRUE(Healthy());
  EXPECT_EQ(drain_calls_, 0);
}

TEST_F(DrainRpcTest, ALameDuckStillTakesEverything) {
  const std::string id = Ready();
  server_->BeginDrain();
  v1::StepReply reply;
  EXPECT_TRUE(Step(StepOf(id, {0.5f}), &reply).ok());
  v1::Session session;
  EXPECT_TRUE(TryCreate({}, &session).ok());
}

TEST_F(DrainRpcTest, RefusesWhatComesLateAndFinishesWhatRuns) {
  const std::string id = Ready();
  controls_->gate.Close();
  auto running = std::async(std::launch::async, [&] {
    v1::StepReply reply;
    return Step(StepOf(id, {0.5f}), &reply);
  });
  controls_->gate.AwaitWaiter();
  server_->BeginDrain();
  server_->RefuseCalls();
  v1::Session session;
  const grpc::Status refused = TryCreate({}, &session);
  EXPECT_EQ(refused.error_code(), grpc::UNAVAILABLE);
  EXPECT_EQ(DetailsOf(refused).reason, "DRAINING");
  EXPECT_TRUE(DetailsOf(refused).retry);
  v1::StepReply reply;
  EXPECT_EQ(DetailsOf(Step(StepOf(id, {0.5f}), &reply)).reason, "DRAINING");
  std::thread shutdown([&] { server_->Shutdown(absl::Seconds(60)); });
  controls_->gate.Open();
  EXPECT_TRUE(running.get().ok());
  shutdown.join();
  EXPECT_EQ(Step(StepOf(id, {0.5f}), &reply).error_code(), grpc::UNAVAILABLE);
}

}  // namespace
}  // namespace gwm::server
