// What a client makes of errors, lost replies and broken connections.
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "gwm/client.h"
#include "tests/clients/cpp/client_fixture.h"

namespace gwm::client {
namespace {

template <typename Detail>
void AddDetail(const Detail& detail, google::rpc::Status* status) {
  status->add_details()->PackFrom(detail);
}

grpc::Status StatusWithDetails() {
  google::rpc::Status rich;
  google::rpc::ErrorInfo info;
  info.set_reason("BAD_TENSOR");
  info.set_domain("gwm.v1");
  google::rpc::BadRequest bad;
  bad.add_field_violations()->set_field("actions");
  google::rpc::RetryInfo retry;
  retry.mutable_retry_delay()->set_seconds(1);
  retry.mutable_retry_delay()->set_nanos(500'000'000);
  AddDetail(info, &rich);
  AddDetail(bad, &rich);
  AddDetail(retry, &rich);
  return {grpc::StatusCode::INVALID_ARGUMENT, "actions[0] is nan", rich.SerializeAsString()};
}

TEST_F(ClientTest, ThrowsCodeReasonFieldAndRetryDelayOfTheServer) {
  Session session = client_.CreateSession();
  server_.status = StatusWithDetails();
  const auto error = ErrorOf([&] { session.Step(Zeros({2, 4})); });
  server_.status = grpc::Status::OK;
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code(), Code::kInvalidArgument);
  EXPECT_EQ(error->reason(), "BAD_TENSOR");
  EXPECT_EQ(error->field(), "actions");
  EXPECT_EQ(error->message(), "actions[0] is nan");
  EXPECT_EQ(error->retry_after(), milliseconds(1500));
  EXPECT_TRUE(error->retriable());
  EXPECT_STREQ(error->what(), "INVALID_ARGUMENT/BAD_TENSOR (actions): actions[0] is nan");
}

TEST_F(ClientTest, KeepsCodeAndMessageWhenTheDetailsAreGarbage) {
  server_.status = {grpc::StatusCode::NOT_FOUND, "gone", std::string("\x1a\xff\xff\xff\x7fzz")};
  const auto error = ErrorOf([&] { client_.GetSpec(); });
  EXPECT_EQ(error->code(), Code::kNotFound);
  EXPECT_EQ(error->message(), "gone");
  EXPECT_EQ(error->reason(), "");
  EXPECT_FALSE(error->retriable());
}

TEST_F(ClientTest, ReadsEpisodesThatBeganByThemselves) {
  Session session = client_.CreateSession({.auto_reset = AutoReset::kSameStep});
  EXPECT_EQ(server_.create_request.auto_reset(), v1::AUTO_RESET_SAME_STEP);
  *server_.step_reply.mutable_reset() = BoolTensor({2}, {false, true});
  server_.step_reply.add_episode(3);
  server_.step_reply.add_episode(4);
  v1::FinalRows& last = *server_.step_reply.mutable_final();
  last.add_rows(1);
  last.add_step_index(50);
  (*last.mutable_observations())["latent"] = FloatTensor({1, 2}, {0.5F, -1.0F});
  const StepResult step = session.Step(Zeros({2, 4}));
  EXPECT_THAT(step.reset, ElementsAre(false, true));
  EXPECT_THAT(step.episode, ElementsAre(3, 4));
  EXPECT_THAT(step.final_rows.rows, ElementsAre(1));
  EXPECT_THAT(step.final_rows.step_index, ElementsAre(50));
  EXPECT_THAT(step.final_rows.observations.at("latent").values<float>(), ElementsAre(0.5F, -1.0F));
}

TEST_F(ClientTest, NamesEachStepAndSaysWhereTheEnvironmentsAre) {
  server_.session.set_replays_calls(true);
  Session session = client_.CreateSession();
  session.Reset();
  EXPECT_FALSE(server_.reset_request.context().request_id().empty());
  server_.step_reply.add_step_index(1);
  session.Step(Zeros({1, 4}), {.env_ids = {1}});
  const std::string first = server_.step_request.context().request_id();
  EXPECT_THAT(server_.step_request.expected_step(), ElementsAre(0));
  session.Step(Zeros({2, 4}));
  EXPECT_THAT(server_.step_request.expected_step(), ElementsAre(0, 1));
  EXPECT_NE(server_.step_request.context().request_id(), first);
  session.Reset({.env_ids = {1}});
  server_.step_reply.clear_step_index();
  session.Step(Zeros({1, 4}), {.env_ids = {1}});
  EXPECT_THAT(server_.step_request.expected_step(), ElementsAre(0));
  server_.session.add_envs()->set_step_index(8);
  server_.session.add_envs()->set_step_index(9);
  EXPECT_THAT(session.Resync(), ElementsAre(8, 9));
  session.Step(Zeros({2, 4}));
  EXPECT_THAT(server_.step_request.expected_step(), ElementsAre(8, 9));
}

TEST_F(ClientTest, SendsAStepWhoseReplyWasLostAgainAsItWas) {
  server_.session.set_replays_calls(true);
  Session session = client_.CreateSession();
  server_.lost_replies = 2;
  server_.step_reply.set_replayed(true);
  EXPECT_TRUE(session.Step(Zeros({2, 4})).replayed);
  ASSERT_EQ(server_.step_requests.size(), 3U);
  EXPECT_EQ(server_.step_requests[0].SerializeAsString(),
            server_.step_requests[2].SerializeAsString());
  ASSERT_EQ(waits_.size(), 2U);
  EXPECT_GE(waits_[0], milliseconds(25));
  EXPECT_LE(waits_[1], milliseconds(100));
}

TEST_F(ClientTest, AsksForASessionWhoseReplyWasLostByTheSameName) {
  server_.lost_creations = 2;
  const Session session = client_.CreateSession();
  ASSERT_EQ(server_.create_requests.size(), 3U);
  EXPECT_NE(server_.create_requests[0].context().request_id(), "");
  EXPECT_EQ(server_.create_requests[0].SerializeAsString(),
            server_.create_requests[2].SerializeAsString());
  const Session other = client_.CreateSession();
  EXPECT_NE(server_.create_request.context().request_id(),
            server_.create_requests[0].context().request_id());
}

TEST_F(ClientTest, NeverRepeatsAStepThatTheServerWouldCarryOutTwice) {
  Session session = client_.CreateSession();
  server_.lost_replies = 1;
  EXPECT_EQ(ErrorOf([&] { session.Step(Zeros({2, 4})); })->code(), Code::kUnavailable);
  EXPECT_EQ(server_.step_requests.size(), 1U);
  EXPECT_EQ(server_.step_request.context().request_id(), "");
  EXPECT_EQ(server_.step_request.expected_step_size(), 0);
}

TEST_F(ClientTest, GivesUpAfterTheLastAttemptAndAtAConflict) {
  server_.session.set_replays_calls(true);
  Session session = client_.CreateSession();
  server_.lost_replies = 10;
  EXPECT_EQ(ErrorOf([&] { session.Step(Zeros({2, 4})); })->code(), Code::kUnavailable);
  EXPECT_EQ(server_.step_requests.size(), 4U);
  server_.lost_status = {grpc::StatusCode::ABORTED, "expected_step[0]: 3"};
  EXPECT_EQ(ErrorOf([&] { session.Step(Zeros({2, 4})); })->code(), Code::kAborted);
  EXPECT_EQ(server_.step_requests.size(), 5U);
}

TEST_F(ClientTest, WaitsAsLongAsTheServerAsksAndNotBeyondTheTimeout) {
  server_.session.set_replays_calls(true);
  Session session = client_.CreateSession();
  server_.lost_replies = 1;
  server_.pushback_ms = "700";
  session.Step(Zeros({2, 4}));
  EXPECT_THAT(waits_, ElementsAre(milliseconds(700)));
  for (const char* pushback : {"-1", "soon", "3600000"}) {
    server_.lost_replies = 1;
    server_.pushback_ms = pushback;
    EXPECT_EQ(ErrorOf([&] { session.Step(Zeros({2, 4})); })->code(), Code::kUnavailable);
  }
  EXPECT_EQ(waits_.size(), 1U);
}

TEST_F(ClientTest, GivesUpAtTheDeadlineOfTheCall) {
  Session session = client_.CreateSession();
  std::promise<void> answered;
  server_.step_waits_for = answered.get_future().share();
  const auto error = ErrorOf([&] { session.Step(Zeros({2, 4}), {.timeout = milliseconds(50)}); });
  answered.set_value();
  EXPECT_EQ(error->code(), Code::kDeadlineExceeded);
}

TEST_F(ClientTest, ReportsAReplyWhoseTensorDoesNotFitItsShape) {
  Session session = client_.CreateSession();
  auto* reward = server_.step_reply.mutable_reward();
  *reward = FloatTensor({2}, {1, 2});
  reward->add_shape(3);
  const auto error = ErrorOf([&] { session.Step(Zeros({2, 4})); });
  EXPECT_EQ(error->code(), Code::kInternal);
  EXPECT_EQ(error->reason(), "BAD_REPLY");
}

TEST(ConnectionTest, SaysUnavailableWhenNobodyListens) {
  Client client("127.0.0.1:1");
  const auto error = ErrorOf([&] { client.WaitUntilConnected(milliseconds(100)); });
  EXPECT_EQ(error->code(), Code::kUnavailable);
  EXPECT_TRUE(error->retriable());
  EXPECT_EQ(ErrorOf([&] { client.GetSpec(); })->code(), Code::kUnavailable);
}

TEST(TensorTest, RefusesTheWrongElementTypeAndTheWrongSize) {
  const std::vector<float> values = {1, 2, 3, 4, 5, 6};
  const Tensor tensor = Tensor::From<float>({2, 3}, values);
  EXPECT_EQ(tensor.elements(), 6);
  EXPECT_EQ(tensor.values<float>()[5], 6);
  EXPECT_THAT(ErrorOf([&] { (void)tensor.values<int32_t>(); })->message(), HasSubstr("f32"));
  EXPECT_EQ(ErrorOf([&] { Tensor::From<float>({2, 4}, values); })->code(), Code::kInvalidArgument);
}

TEST(CodeNameTest, NamesEveryCodeAndSurvivesOthers) {
  EXPECT_STREQ(CodeName(Code::kOk), "OK");
  EXPECT_STREQ(CodeName(Code::kUnauthenticated), "UNAUTHENTICATED");
  EXPECT_STREQ(CodeName(static_cast<Code>(99)), "UNKNOWN");
  EXPECT_STREQ(CodeName(static_cast<Code>(-1)), "UNKNOWN");
}

}  // namespace
}  // namespace gwm::client
