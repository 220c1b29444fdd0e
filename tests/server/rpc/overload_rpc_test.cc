// What a client sees of the scheduler: being told to come back later, and being let go of.
#include <chrono>
#include <future>

#include "tests/server/rpc/server_fixture.h"

namespace gwm::server {
namespace {

using fakes::DetailsOf;
using fakes::F32;

// A device whose denoiser calls take a second of the server's clock.
class OverloadRpcTest : public ServerTest {
 protected:
  void SetUp() override {
    controls_->on_advance = [this](int) { clock_.Advance(absl::Seconds(1)); };
    options_.limits.max_queue_time = absl::Milliseconds(500);
    StartServer();
  }
};

TEST_F(OverloadRpcTest, ACallThatWouldWaitForTooLongIsToldWhenToComeBack) {
  const std::string id = Ready(), blocker = Ready(8), late = Ready();
  v1::StepReply reply;
  ASSERT_TRUE(Step(StepOf(id, {0.0f}), &reply).ok());  // tells what a step costs
  controls_->gate.Close();
  auto running = std::async(std::launch::async, [&] {
    v1::StepReply answer;
    return Step(StepOf(blocker, std::vector<float>(8, 0.0f)), &answer);
  });
  controls_->gate.AwaitWaiter();
  grpc::ClientContext context;
  const grpc::Status refused = simulator_->Step(&context, StepOf(late, {0.0f}), &reply);
  controls_->gate.Open();
  EXPECT_TRUE(running.get().ok());
  EXPECT_EQ(refused.error_code(), grpc::RESOURCE_EXHAUSTED);
  EXPECT_EQ(DetailsOf(refused).reason, "OVERLOADED");
  EXPECT_TRUE(DetailsOf(refused).retry);
  // Sixteen calls of a second each wait; four times the two of its own are allowed, and five
  // seconds are the most that a client is sent away for.
  const auto& trailers = context.GetServerTrailingMetadata();
  const auto pushback = trailers.find("grpc-retry-pushback-ms");
  ASSERT_NE(pushback, trailers.end());
  EXPECT_EQ(std::string(pushback->second.begin(), pushback->second.end()), "5000");
  EXPECT_TRUE(Step(StepOf(late, {0.0f}), &reply).ok());
}

TEST_F(OverloadRpcTest, ACancelledPlanStopsAtTheNextCall) {
  const std::string id = Ready();
  v1::PlanRequest request;
  request.set_session_id(id);
  *request.mutable_actions() = F32({4, 500, 2}, std::vector<float>(4000, 0));
  controls_->gate.Close();
  grpc::ClientContext context;
  auto plan = std::async(std::launch::async, [&] {
    v1::PlanReply reply;
    return simulator_->Plan(&context, request, &reply);
  });
  controls_->gate.AwaitWaiter();
  context.TryCancel();
  EXPECT_EQ(plan.get().error_code(), grpc::CANCELLED);
  // Calls that follow the cancellation: when they are answered, the server knows of it.
  v1::Session session;
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(Get(id, &session).ok());
  controls_->gate.Open();
  Positions(id);  // comes after whatever the plan still does
  EXPECT_EQ(controls_->Batches().size(), 1u);
}

TEST_F(OverloadRpcTest, APlanWhoseTimeIsUpStopsAtTheNextCall) {
  const std::string id = Ready();
  v1::PlanRequest request;
  request.set_session_id(id);
  // 1000 calls of a second each; max_call_time is two minutes.
  *request.mutable_actions() = F32({1, 500, 2}, std::vector<float>(1000, 0));
  v1::PlanReply reply;
  const grpc::Status status = Call(*simulator_, &v1::Simulator::Stub::Plan, request, &reply);
  EXPECT_EQ(status.error_code(), grpc::DEADLINE_EXCEEDED);
  EXPECT_LE(controls_->Batches().size(), 121u);
}

}  // namespace
}  // namespace gwm::server
