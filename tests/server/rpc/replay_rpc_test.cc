// Exactly once: calls that come again, and calls that come from somewhere else.
#include <gmock/gmock.h>

#include <future>
#include <thread>

#include "tests/server/rpc/server_fixture.h"

namespace gwm::server {
namespace {

using fakes::DetailsOf;
using fakes::Floats;
using ::testing::ElementsAre;

class ReplayRpcTest : public ServerTest {
 protected:
  // A step of environment 0 of a session of one, from step `expected`.
  static v1::StepRequest Named(const std::string& id, const std::string& request_id, float action,
                               uint64_t expected) {
    v1::StepRequest request = StepOf(id, {action});
    request.mutable_context()->set_request_id(request_id);
    request.add_expected_step(expected);
    return request;
  }
  void ExpectConflict(const v1::StepRequest& request, const std::string& field) {
    const auto before = Positions(request.session_id());
    v1::StepReply reply;
    const grpc::Status status = Step(request, &reply);
    EXPECT_EQ(status.error_code(), grpc::ABORTED) << status.error_message();
    EXPECT_EQ(DetailsOf(status).reason, "STEP_CONFLICT");
    EXPECT_EQ(DetailsOf(status).field, field);
    EXPECT_FALSE(DetailsOf(status).retry);
    EXPECT_EQ(Positions(request.session_id()), before);
  }
};

TEST_F(ReplayRpcTest, ARepeatedStepReturnsTheStoredReplyAndChangesNothing) {
  const std::string id = Ready(1, 7, {"rgb", "latent"});
  v1::StepReply first, again;
  ASSERT_TRUE(Step(Named(id, "a", 0.5f, 0), &first).ok());
  EXPECT_FALSE(first.replayed());
  const auto after = Positions(id);
  const auto batches = controls_->Batches();
  ASSERT_TRUE(Step(Named(id, "a", 0.5f, 0), &again).ok());
  EXPECT_TRUE(again.replayed());
  again.set_replayed(false);
  EXPECT_EQ(again.SerializeAsString().size(), first.SerializeAsString().size());
  EXPECT_EQ(again.observations().at("latent").data(), first.observations().at("latent").data());
  EXPECT_EQ(Floats(again.reward()), Floats(first.reward()));
  EXPECT_THAT(again.step_index(), ElementsAre(1));
  EXPECT_EQ(Positions(id), after);
  EXPECT_EQ(controls_->Batches(), batches);
}

TEST_F(ReplayRpcTest, TheStepThatEndedAnEpisodeCanBeRepeated) {
  v1::CreateSessionRequest create;
  create.set_max_episode_steps(1);
  const std::string id = Create(create).session_id();
  v1::ResetRequest reset;
  reset.set_session_id(id);
  v1::ResetReply reset_reply;
  ASSERT_TRUE(Reset(reset, &reset_reply).ok());
  for (bool replayed : {false, true}) {
    v1::StepReply reply;
    ASSERT_TRUE(Step(Named(id, "a", 0.5f, 0), &reply).ok());
    EXPECT_EQ(reply.replayed(), replayed);
    EXPECT_TRUE(fakes::Bools(reply.truncated())[0]);
  }
}

TEST_F(ReplayRpcTest, AGapOtherActionsOrAnotherNameAreConflicts) {
  const std::string id = Ready();
  v1::StepReply reply;
  ASSERT_TRUE(Step(Named(id, "a", 0.5f, 0), &reply).ok());
  ExpectConflict(Named(id, "b", 0.5f, 2), "expected_step[0]");     // ahead
  ExpectConflict(Named(id, "b", 0.5f, 0), "expected_step[0]");     // behind, another call
  ExpectConflict(Named(id, "a", 0.25f, 0), "context.request_id");  // other actions
  ASSERT_TRUE(Step(Named(id, "b", 0.5f, 1), &reply).ok());
  ExpectConflict(Named(id, "a", 0.5f, 0), "context.request_id");  // not the last call any more
}

TEST_F(ReplayRpcTest, OneRowThatDoesNotFitStopsAllRows) {
  const std::string id = Ready(3);
  v1::StepRequest request = StepOf(id, {0.5f, 0.5f, 0.5f});
  for (uint64_t expected : {0u, 1u, 0u}) request.add_expected_step(expected);
  ExpectConflict(request, "expected_step[1]");
  request.mutable_expected_step()->Truncate(2);
  v1::StepReply reply;
  EXPECT_EQ(DetailsOf(Step(request, &reply)).field, "expected_step");
  request.clear_expected_step();
  request.mutable_context()->set_request_id(std::string(65, 'x'));
  EXPECT_EQ(DetailsOf(Step(request, &reply)).field, "context.request_id");
  request.mutable_context()->set_request_id("\n");
  EXPECT_EQ(DetailsOf(Step(request, &reply)).field, "context.request_id");
}

TEST_F(ReplayRpcTest, ALateCopyOfAStepIsNotCarriedOutInTheNextEpisode) {
  const std::string id = Ready();
  v1::StepReply reply;
  ASSERT_TRUE(Step(Named(id, "a", 0.5f, 0), &reply).ok());
  v1::ResetRequest reset;
  reset.set_session_id(id);
  v1::ResetReply reset_reply;
  ASSERT_TRUE(Reset(reset, &reset_reply).ok());
  ExpectConflict(Named(id, "a", 0.5f, 0), "context.request_id");
}

TEST_F(ReplayRpcTest, ARepeatedResetStartsNoSecondEpisode) {
  const std::string id = Ready(2);
  v1::ResetRequest reset;
  reset.set_session_id(id);
  reset.add_observations("latent");
  reset.mutable_context()->set_request_id("r");
  v1::ResetReply first, again;
  ASSERT_TRUE(Reset(reset, &first).ok());
  ASSERT_TRUE(Reset(reset, &again).ok());
  EXPECT_FALSE(first.replayed());
  EXPECT_TRUE(again.replayed());
  EXPECT_THAT(again.episode(), ElementsAre(1, 1));
  EXPECT_EQ(again.observations().at("latent").data(), first.observations().at("latent").data());
  v1::Session session;
  ASSERT_TRUE(Get(id, &session).ok());
  EXPECT_EQ(session.envs(0).episode(), 1u);
}

TEST_F(ReplayRpcTest, ARepetitionThatArrivesWhileTheFirstRunsGetsItsReply) {
  const std::string id = Ready();
  controls_->gate.Close();
  std::future<bool> replayed[2];
  for (auto& one : replayed) {
    one = std::async(std::launch::async, [&] {
      v1::StepReply reply;
      EXPECT_TRUE(Step(Named(id, "a", 0.5f, 0), &reply).ok());
      return reply.replayed();
    });
  }
  controls_->gate.AwaitWaiter();
  while (server_->queue_length() < 1) std::this_thread::yield();
  controls_->gate.Open();
  EXPECT_NE(replayed[0].get(), replayed[1].get());
  EXPECT_EQ(controls_->Batches().size(), 2u);  // the calls of one step
}

TEST_F(ReplayRpcTest, AFailedStepIsNotRemembered) {
  const std::string id = Ready();
  controls_->fail_render = true;
  v1::StepRequest request = Named(id, "a", 0.5f, 0);
  request.add_observations("rgb");
  v1::StepReply reply;
  EXPECT_EQ(Step(request, &reply).error_code(), grpc::INTERNAL);
  controls_->fail_render = false;
  ASSERT_TRUE(Step(request, &reply).ok());
  EXPECT_FALSE(reply.replayed());
  EXPECT_THAT(reply.step_index(), ElementsAre(1));
}

TEST_F(ReplayRpcTest, ALostRowIsReportedAgainToo) {
  const std::string id = Ready();
  v1::StepReply reply;
  for (int i = 0; i < 2; ++i) {
    const grpc::Status status = Step(Named(id, "a", fakes::kPoisonAction, 0), &reply);
    EXPECT_EQ(DetailsOf(status).reason, "NON_FINITE");
  }
}

TEST_F(ReplayRpcTest, RepliesAreKeptUpToTheLimitThatGetLimitsShows) {
  options_.limits.max_replay_bytes = 2000;
  StartServer();
  v1::Limits limits;
  ASSERT_TRUE(Call(*info_, &v1::Server::Stub::GetLimits, v1::GetLimitsRequest(), &limits).ok());
  EXPECT_EQ(limits.max_replay_bytes(), 2000u);
  const std::string id = Ready();
  v1::StepRequest large = Named(id, "a", 0.5f, 0);
  large.add_observations("rgb");
  *large.mutable_camera() = fakes::TestCamera(40, 40);
  v1::StepReply reply;
  ASSERT_TRUE(Step(large, &reply).ok());
  ExpectConflict(large, "context.request_id");
  ASSERT_TRUE(Step(Named(id, "b", 0.5f, 1), &reply).ok());
  ASSERT_TRUE(Step(Named(id, "b", 0.5f, 1), &reply).ok());
  EXPECT_TRUE(reply.replayed());
}

TEST_F(ReplayRpcTest, ARefusalThatMayBeRetriedTellsGrpcWhenToo) {
  server_->RefuseCalls();
  grpc::ClientContext context;
  v1::Session session;
  EXPECT_FALSE(simulator_->CreateSession(&context, {}, &session).ok());
  const auto& trailers = context.GetServerTrailingMetadata();
  const auto pushback = trailers.find("grpc-retry-pushback-ms");
  ASSERT_NE(pushback, trailers.end());
  EXPECT_EQ(pushback->second, "1000");
}

}  // namespace
}  // namespace gwm::server
