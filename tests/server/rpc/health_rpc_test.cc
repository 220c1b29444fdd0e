// Health that is true: a device that answers, and room for one more session.
#include <future>

#include "grpc/health/v1/health.grpc.pb.h"
#include "server/rpc/device_verdict.h"
#include "tests/server/rpc/server_fixture.h"

namespace gwm::server {
namespace {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

constexpr HealthTimes kTimes{
    .probe_period = absl::Seconds(2), .timeout = absl::Seconds(5), .watchdog = absl::Seconds(10)};
const absl::Time kNow = absl::UnixEpoch() + absl::Hours(1);

DeviceVerdict JudgeBusy(absl::Duration running, absl::Duration expected,
                        const HealthTimes& times = kTimes) {
  const Pulse pulse{
      .busy_since = kNow - running, .expected = expected, .proved_at = kNow - running};
  return Judge(pulse, kNow, times, absl::Seconds(120));
}

TEST(DeviceVerdictTest, IsWellWhileACallSucceededLately) {
  const auto quiet = [](absl::Duration time) {
    return Judge({.proved_at = kNow - time}, kNow, kTimes, absl::Seconds(120));
  };
  EXPECT_EQ(quiet(absl::Seconds(5)), DeviceVerdict::kWell);
  EXPECT_EQ(quiet(absl::Seconds(6)), DeviceVerdict::kIll);
}

TEST(DeviceVerdictTest, AComputationMayTakeTwentyTimesWhatItShould) {
  EXPECT_EQ(JudgeBusy(absl::Seconds(4), absl::Milliseconds(1)), DeviceVerdict::kWell);
  EXPECT_EQ(JudgeBusy(absl::Seconds(6), absl::Milliseconds(1)), DeviceVerdict::kIll);
  EXPECT_EQ(JudgeBusy(absl::Seconds(11), absl::Milliseconds(1)), DeviceVerdict::kStuck);
  EXPECT_EQ(JudgeBusy(absl::Seconds(39), absl::Seconds(2)), DeviceVerdict::kWell);
  EXPECT_EQ(JudgeBusy(absl::Seconds(41), absl::Seconds(2)), DeviceVerdict::kStuck);
}

TEST(DeviceVerdictTest, WhatIsNotKnownMayTakeAsLongAsACall) {
  EXPECT_EQ(JudgeBusy(absl::Seconds(119), absl::ZeroDuration()), DeviceVerdict::kWell);
  EXPECT_EQ(JudgeBusy(absl::Seconds(121), absl::ZeroDuration()), DeviceVerdict::kStuck);
  EXPECT_EQ(JudgeBusy(absl::Hours(1), absl::InfiniteDuration()), DeviceVerdict::kWell);
}

TEST(DeviceVerdictTest, WithoutAWatchdogNothingIsStuck) {
  HealthTimes times = kTimes;
  times.watchdog = absl::ZeroDuration();
  EXPECT_EQ(JudgeBusy(absl::Hours(1), absl::Milliseconds(1), times), DeviceVerdict::kIll);
}

class HealthRpcTest : public ServerTest {
 protected:
  void SetUp() override {
    options_.health = kTimes;
    ServerTest::SetUp();
    health_ = grpc::health::v1::Health::NewStub(channel_);
  }
  void Restart() {
    StartServer();
    health_ = grpc::health::v1::Health::NewStub(channel_);
  }
  HealthCheckResponse::ServingStatus Status(const std::string& service) {
    HealthCheckRequest request;
    request.set_service(service);
    HealthCheckResponse response;
    EXPECT_TRUE(Call(*health_, &grpc::health::v1::Health::Stub::Check, request, &response).ok());
    return response.status();
  }
  void AwaitNotLive() {
    HealthCheckRequest request;
    request.set_service("liveness");
    grpc::ClientContext context;
    auto watch = health_->Watch(&context, request);
    HealthCheckResponse response;
    do {
      ASSERT_TRUE(watch->Read(&response));
    } while (response.status() != HealthCheckResponse::NOT_SERVING);
  }
  // A step that tells the scheduler that a call takes a millisecond.
  std::string ReadyAndMeasured() {
    controls_->on_advance = [this](int) { clock_.Advance(absl::Milliseconds(1)); };
    Restart();
    const std::string id = Ready();
    v1::StepReply reply;
    EXPECT_TRUE(Step(StepOf(id, {0.1F}), &reply).ok());
    return id;
  }

  std::unique_ptr<grpc::health::v1::Health::Stub> health_;
};

TEST_F(HealthRpcTest, AFullServerIsAliveButNotReady) {
  options_.limits.max_sessions = 1;
  Restart();
  server_->CheckHealth();
  EXPECT_EQ(Status(""), HealthCheckResponse::SERVING);
  const std::string id = Ready();
  server_->CheckHealth();
  EXPECT_EQ(Status(""), HealthCheckResponse::NOT_SERVING);
  EXPECT_EQ(Status("model/fake"), HealthCheckResponse::NOT_SERVING);
  EXPECT_EQ(Status("liveness"), HealthCheckResponse::SERVING);
  EXPECT_EQ(Metric("gwm_ready"), 0);
  EXPECT_TRUE(Close(id).ok());
  server_->CheckHealth();
  EXPECT_EQ(Status(""), HealthCheckResponse::SERVING);
}

TEST_F(HealthRpcTest, AnIdleSessionThatMayBeEvictedIsRoom) {
  options_.limits.max_sessions = 1;
  Restart();
  v1::CreateSessionRequest request;
  request.set_evictable(true);
  Create(request);
  server_->CheckHealth();
  EXPECT_EQ(Status(""), HealthCheckResponse::SERVING);
}

TEST_F(HealthRpcTest, AQuietServerProvesThatItCanCompute) {
  clock_.Advance(absl::Seconds(3));
  server_->CheckHealth();
  Ready();  // behind the probe
  EXPECT_EQ(controls_->Batches(), (std::vector<int>{1}));
  EXPECT_EQ(Metric("gwm_health_probe_seconds_count"), 1);
  EXPECT_EQ(Metric("gwm_health_probe_failures_total"), 0);
  clock_.Advance(absl::Seconds(3));  // 6 s since the start, 3 since the proof
  server_->CheckHealth();
  EXPECT_EQ(Status("liveness"), HealthCheckResponse::SERVING);
}

TEST_F(HealthRpcTest, AServerInUseIsNotProbed) {
  const std::string id = Ready();
  v1::StepReply reply;
  for (int i = 0; i < 5; ++i) {
    clock_.Advance(absl::Seconds(1));
    ASSERT_TRUE(Step(StepOf(id, {0.1F}), &reply).ok());
    server_->CheckHealth();
  }
  EXPECT_EQ(Metric("gwm_health_probe_seconds_count"), 0);
}

TEST_F(HealthRpcTest, ADeviceThatHangsIsNotLiveAndThenLost) {
  const std::string id = ReadyAndMeasured();
  controls_->gate.Close();
  v1::StepReply hung, waiting;
  auto first = std::async(std::launch::async, [&] { return Step(StepOf(id, {0.1F}), &hung); });
  controls_->gate.AwaitWaiter();
  clock_.Advance(absl::Seconds(6));
  server_->CheckHealth();
  EXPECT_EQ(Status("liveness"), HealthCheckResponse::NOT_SERVING);
  EXPECT_EQ(Status(""), HealthCheckResponse::NOT_SERVING);
  EXPECT_EQ(device_losses_, 0);
  clock_.Advance(absl::Seconds(5));
  server_->CheckHealth();
  EXPECT_EQ(device_losses_, 1);
  EXPECT_TRUE(server_->device_lost());
  const grpc::Status refused = Step(StepOf(id, {0.1F}), &waiting);
  EXPECT_EQ(refused.error_code(), grpc::UNAVAILABLE);
  EXPECT_EQ(fakes::DetailsOf(refused).reason, "DEVICE_LOST");
  EXPECT_EQ(Metric("gwm_gpu_errors_total"), 1);
  controls_->gate.Open();
  EXPECT_EQ(first.get().error_code(), grpc::UNAVAILABLE);
}

TEST_F(HealthRpcTest, ALostDeviceAnswersNothingAsIfItWereWell) {
  const std::string id = Ready();
  controls_->lost = true;
  v1::StepReply reply;
  for (int i = 0; i < 2; ++i) {
    const grpc::Status status = Step(StepOf(id, {0.1F}), &reply);
    EXPECT_EQ(status.error_code(), grpc::UNAVAILABLE);
    EXPECT_EQ(fakes::DetailsOf(status).reason, "DEVICE_LOST");
  }
  AwaitNotLive();
  EXPECT_EQ(Status(""), HealthCheckResponse::NOT_SERVING);
  EXPECT_EQ(Metric("gwm_ready"), 0);
}

}  // namespace
}  // namespace gwm::server
