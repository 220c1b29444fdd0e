// Several clients at once: batches, order, cancellation, deadlines, overload.
#include <future>
#include <thread>

#include "tests/server/rpc/server_fixture.h"

namespace gwm::server {
namespace {

using fakes::DetailsOf;
using fakes::Floats;
using ConcurrencyTest = ServerTest;

struct Pending {
  std::unique_ptr<grpc::ClientContext> context = std::make_unique<grpc::ClientContext>();
  v1::StepReply reply;
  std::future<grpc::Status> status;
};

// Starts a Step without waiting for it.
void StartStep(v1::Simulator::Stub& stub, v1::StepRequest request, Pending& pending) {
  pending.status = std::async(std::launch::async, [&stub, request, &pending] {
    return stub.Step(pending.context.get(), request, &pending.reply);
  });
}

TEST_F(ConcurrencyTest, StepsThatWaitTogetherAreComputedTogetherAndAlike) {
  std::vector<std::string> ids;
  std::vector<std::string> alone;
  for (uint64_t seed = 0; seed < 4; ++seed) {
    const std::string twin = Ready(1, seed, {"latent"});
    v1::StepReply reply;
    ASSERT_TRUE(Step(StepOf(twin, {0.5f}), &reply).ok());
    alone.push_back(reply.observations().at("latent").data());
    ids.push_back(Ready(1, seed, {"latent"}));
  }
  const std::string blocker = Ready();
  controls_->gate.Close();
  std::vector<Pending> pending(5);
  StartStep(*simulator_, StepOf(blocker, {0.5f}), pending[4]);
  controls_->gate.AwaitWaiter();
  for (size_t i = 0; i < 4; ++i) StartStep(*simulator_, StepOf(ids[i], {0.5f}), pending[i]);
  while (server_->queue_length() < 4) std::this_thread::yield();
  controls_->gate.Open();
  for (size_t i = 0; i < 4; ++i) {
    ASSERT_TRUE(pending[i].status.get().ok());
    // The second call of the blocker joined the first ones of the others.
    EXPECT_EQ(pending[i].reply.timing().batch_size(), 5u);
    EXPECT_EQ(pending[i].reply.observations().at("latent").data(), alone[i]);
  }
  EXPECT_TRUE(pending[4].status.get().ok());
  EXPECT_EQ(controls_->Batches().back(), 4);
}

TEST_F(ConcurrencyTest, ABatchThatDoesNotFitIsSplit) {
  const std::string a = Ready(2), b = Ready(2), blocker = Ready();
  controls_->max_step_rows = 2;
  controls_->gate.Close();
  std::vector<Pending> pending(3);
  StartStep(*simulator_, StepOf(blocker, {0.5f}), pending[2]);
  controls_->gate.AwaitWaiter();
  StartStep(*simulator_, StepOf(a, {0.5f, 0.5f}), pending[0]);
  StartStep(*simulator_, StepOf(b, {0.5f, 0.5f}), pending[1]);
  while (server_->queue_length() < 2) std::this_thread::yield();
  controls_->gate.Open();
  for (Pending& one : pending) EXPECT_TRUE(one.status.get().ok());
}

TEST_F(ConcurrencyTest, ABadWorkInABatchFailsAlone) {
  const std::string good = Ready(), never_reset = Create().session_id(), blocker = Ready();
  controls_->gate.Close();
  std::vector<Pending> pending(3);
  StartStep(*simulator_, StepOf(blocker, {0.5f}), pending[2]);
  controls_->gate.AwaitWaiter();
  StartStep(*simulator_, StepOf(never_reset, {0.5f}), pending[0]);
  StartStep(*simulator_, StepOf(good, {0.5f}), pending[1]);
  while (server_->queue_length() < 2) std::this_thread::yield();
  controls_->gate.Open();
  EXPECT_EQ(DetailsOf(pending[0].status.get()).reason, "NEEDS_RESET");
  EXPECT_TRUE(pending[1].status.get().ok());
  EXPECT_TRUE(pending[2].status.get().ok());
}

TEST_F(ConcurrencyTest, ACancelledStepChangesNothing) {
  const std::string id = Ready(), blocker = Ready();
  const auto before = Positions(id);
  controls_->gate.Close();
  Pending running, queued;
  StartStep(*simulator_, StepOf(blocker, {0.5f}), running);
  controls_->gate.AwaitWaiter();
  StartStep(*simulator_, StepOf(id, {0.5f}), queued);
  while (server_->queue_length() < 1) std::this_thread::yield();
  queued.context->TryCancel();
  EXPECT_EQ(queued.status.get().error_code(), grpc::CANCELLED);
  // Calls that follow the cancellation on its connection: when they are answered, the server knows
  // of it.
  v1::Session session;
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(Get(id, &session).ok());
  controls_->gate.Open();
  EXPECT_TRUE(running.status.get().ok());
  EXPECT_EQ(Positions(id), before);
}

TEST_F(ConcurrencyTest, AStepThatIsCancelledWhileItRunsChangesNothing) {
  const std::string id = Ready();
  const auto before = Positions(id);
  controls_->gate.Close();
  Pending running;
  StartStep(*simulator_, StepOf(id, {0.5f}), running);
  controls_->gate.AwaitWaiter();
  running.context->TryCancel();
  EXPECT_EQ(running.status.get().error_code(), grpc::CANCELLED);
  v1::Session session;
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(Get(id, &session).ok());
  controls_->gate.Open();
  EXPECT_EQ(Positions(id), before);
}

TEST_F(ConcurrencyTest, AnExpiredStepChangesNothingAndSaysWhereItWas) {
  const std::string id = Ready(), blocker = Ready();
  const auto before = Positions(id), blocker_before = Positions(blocker);
  controls_->gate.Close();
  Pending running, queued;
  StartStep(*simulator_, StepOf(blocker, {0.5f}), running);
  controls_->gate.AwaitWaiter();
  StartStep(*simulator_, StepOf(id, {0.5f}), queued);
  while (server_->queue_length() < 1) std::this_thread::yield();
  // Past max_call_time on the server's clock; the client set no deadline of its own.
  clock_.Advance(absl::Seconds(121));
  controls_->gate.Open();
  const grpc::Status queued_status = queued.status.get();
  EXPECT_EQ(queued_status.error_code(), grpc::DEADLINE_EXCEEDED);
  EXPECT_EQ(DetailsOf(queued_status).phase, "QUEUED");
  const grpc::Status running_status = running.status.get();
  EXPECT_EQ(running_status.error_code(), grpc::DEADLINE_EXCEEDED);
  EXPECT_EQ(DetailsOf(running_status).phase, "RUNNING");
  EXPECT_EQ(Positions(id), before);
  EXPECT_EQ(Positions(blocker), blocker_before);
}

TEST_F(ConcurrencyTest, TheSlackOfDeadlinesCountsWhatTheDeviceDidAndWhatItMissed) {
  const std::string id = Ready();
  const auto slack = [this](const std::string& what) {
    return Metric("gwm_deadline_slack_seconds_" + what);
  };
  const double before = slack("count{class=\"interactive\"}");
  v1::Session session;
  EXPECT_TRUE(Get(id, &session).ok());  // never asks the device
  EXPECT_EQ(slack("count{class=\"interactive\"}"), before);
  EXPECT_EQ(slack("bucket{class=\"interactive\",le=\"0\"}"), 0);
  controls_->gate.Close();
  Pending late;
  StartStep(*simulator_, StepOf(id, {0.5f}), late);
  controls_->gate.AwaitWaiter();
  clock_.Advance(absl::Seconds(121));  // beyond max_call_time
  controls_->gate.Open();
  EXPECT_EQ(late.status.get().error_code(), grpc::DEADLINE_EXCEEDED);
  EXPECT_EQ(slack("count{class=\"interactive\"}"), before + 1);
  EXPECT_EQ(slack("bucket{class=\"interactive\",le=\"0\"}"), 1);
}

TEST_F(ConcurrencyTest, ACallBeyondTheQueueIsRefusedAtOnce) {
  options_.limits.max_queue_length = 1;
  StartServer();
  const std::string id = Ready(), blocker = Ready();
  controls_->gate.Close();
  Pending running, queued;
  StartStep(*simulator_, StepOf(blocker, {0.5f}), running);
  controls_->gate.AwaitWaiter();
  StartStep(*simulator_, StepOf(id, {0.5f}), queued);
  while (server_->queue_length() < 1) std::this_thread::yield();
  v1::StepReply reply;
  const grpc::Status refused = Step(StepOf(id, {0.5f}), &reply);
  EXPECT_EQ(refused.error_code(), grpc::RESOURCE_EXHAUSTED);
  EXPECT_EQ(DetailsOf(refused).reason, "OVERLOADED");
  EXPECT_TRUE(DetailsOf(refused).retry);
  controls_->gate.Open();
  EXPECT_TRUE(queued.status.get().ok());
  EXPECT_TRUE(running.status.get().ok());
}

TEST_F(ConcurrencyTest, ClosingASessionFailsItsRunningStep) {
  const std::string id = Ready();
  controls_->gate.Close();
  Pending running;
  StartStep(*simulator_, StepOf(id, {0.5f}), running);
  controls_->gate.AwaitWaiter();
  EXPECT_TRUE(Close(id).ok());
  controls_->gate.Open();
  EXPECT_EQ(DetailsOf(running.status.get()).reason, "CLOSED");
  // The work is destroyed after its answer; the next call on the device thread comes after that.
  Ready();
  EXPECT_EQ(controls_->live_states, 1);
}

TEST_F(ConcurrencyTest, AnExceptionInTheEngineIsAnInternalErrorAndServingGoesOn) {
  const std::string id = Ready();
  controls_->throw_in_step = true;
  v1::StepReply reply;
  const grpc::Status status = Step(StepOf(id, {0.5f}), &reply);
  EXPECT_EQ(status.error_code(), grpc::INTERNAL);
  EXPECT_EQ(DetailsOf(status).reason, "BUG");
  EXPECT_TRUE(Step(StepOf(id, {0.5f}), &reply).ok());
}

TEST_F(ConcurrencyTest, ManyClientsGetTheirOwnTrajectories) {
  constexpr int kClients = 8, kSteps = 40;
  std::vector<std::thread> clients;
  std::vector<float> ends(kClients);
  std::vector<std::string> ids;
  for (int c = 0; c < kClients; ++c) ids.push_back(Ready(2));
  const std::vector<float> starts = Positions(ids.front());
  for (int c = 0; c < kClients; ++c) {
    clients.emplace_back([this, c, &ids, &ends] {
      for (int i = 0; i < kSteps; ++i) {
        v1::StepReply reply;
        ASSERT_TRUE(Step(StepOf(ids[static_cast<size_t>(c)], {0.001f * c, 0}), &reply).ok());
        ASSERT_EQ(reply.step_index(0), static_cast<uint64_t>(i + 1));
      }
      ends[static_cast<size_t>(c)] = Positions(ids[static_cast<size_t>(c)])[0];
    });
  }
  for (std::thread& client : clients) client.join();
  for (int c = 0; c < kClients; ++c) {
    EXPECT_NEAR(ends[static_cast<size_t>(c)], starts[0] + 0.001f * c * kSteps, 1e-4);
  }
}

}  // namespace
}  // namespace gwm::server
