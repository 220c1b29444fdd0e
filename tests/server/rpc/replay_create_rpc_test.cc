// Exactly once: sessions and forks whose making comes again.
#include <gmock/gmock.h>

#include "tests/server/rpc/server_fixture.h"

namespace gwm::server {
namespace {

using fakes::DetailsOf;
using ::testing::ElementsAre;
using ::testing::ElementsAreArray;

class ReplayCreateRpcTest : public ServerTest {
 protected:
  static v1::CreateSessionRequest Named(const std::string& request_id, uint32_t num_envs = 1) {
    v1::CreateSessionRequest request;
    request.set_num_envs(num_envs);
    request.mutable_context()->set_client_id("trainer");
    request.mutable_context()->set_request_id(request_id);
    return request;
  }
  v1::ForkReply Fork(const std::string& id, const std::string& request_id, bool here = false) {
    v1::ForkRequest request;
    request.set_session_id(id);
    request.set_into_same_session(here);
    request.set_seed_mode(v1::ForkRequest::SEED_MODE_SPLIT);
    request.mutable_context()->set_request_id(request_id);
    v1::ForkReply reply;
    const grpc::Status status = Call(*simulator_, &v1::Simulator::Stub::Fork, request, &reply);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return reply;
  }
};

TEST_F(ReplayCreateRpcTest, ARepeatedCreationReturnsTheSessionThatItMade) {
  const v1::Session made = Create(Named("a"));
  EXPECT_FALSE(made.replayed());
  const v1::Session again = Create(Named("a"));
  EXPECT_TRUE(again.replayed());
  EXPECT_EQ(again.session_id(), made.session_id());
  EXPECT_EQ(again.seed(), made.seed());
  EXPECT_NE(Create(Named("b")).session_id(), made.session_id());
  EXPECT_EQ(Metric("gwm_sessions_created_total"), 2);
  v1::CreateSessionRequest unnamed = Named("");
  EXPECT_NE(Create(unnamed).session_id(), Create(unnamed).session_id());
}

TEST_F(ReplayCreateRpcTest, TheNameOfACreationIsItsClientsOwn) {
  const v1::Session made = Create(Named("a"));
  v1::CreateSessionRequest other = Named("a");
  other.mutable_context()->set_client_id("another trainer");
  EXPECT_NE(Create(other).session_id(), made.session_id());
  v1::Session session;
  const grpc::Status status = TryCreate(Named("a", 2), &session);
  EXPECT_EQ(status.error_code(), grpc::ABORTED);
  EXPECT_EQ(DetailsOf(status).reason, "STEP_CONFLICT");
  EXPECT_EQ(DetailsOf(status).field, "context.request_id");
}

TEST_F(ReplayCreateRpcTest, AFullServerStillAnswersARepetition) {
  options_.limits.max_sessions = 1;
  StartServer();
  const v1::Session made = Create(Named("a"));
  EXPECT_EQ(Create(Named("a")).session_id(), made.session_id());
  v1::Session session;
  EXPECT_EQ(TryCreate(Named("b"), &session).error_code(), grpc::RESOURCE_EXHAUSTED);
}

TEST_F(ReplayCreateRpcTest, AClosedSessionFreesTheNameOfItsCreation) {
  const v1::Session made = Create(Named("a"));
  v1::CloseSessionRequest close;
  close.set_session_id(made.session_id());
  v1::CloseSessionReply closed;
  ASSERT_TRUE(Call(*simulator_, &v1::Simulator::Stub::CloseSession, close, &closed).ok());
  const v1::Session next = Create(Named("a"));
  EXPECT_FALSE(next.replayed());
  EXPECT_NE(next.session_id(), made.session_id());
}

TEST_F(ReplayCreateRpcTest, ARepeatedForkReturnsTheSameChildren) {
  const std::string id = Ready(2);
  const v1::ForkReply made = Fork(id, "f");
  const v1::ForkReply again = Fork(id, "f");
  EXPECT_FALSE(made.replayed());
  EXPECT_TRUE(again.replayed());
  EXPECT_EQ(again.session().session_id(), made.session().session_id());
  EXPECT_THAT(again.env_ids(), ElementsAreArray(made.env_ids()));
  EXPECT_NE(made.session().session_id(), id);
  EXPECT_EQ(Metric("gwm_forks_total"), 2);
  EXPECT_NE(Fork(id, "g").session().session_id(), made.session().session_id());
}

TEST_F(ReplayCreateRpcTest, ARepeatedForkIntoTheSameSessionAddsNoEnvironments) {
  const std::string id = Ready(2);
  EXPECT_THAT(Fork(id, "f", true).env_ids(), ElementsAre(2, 3));
  EXPECT_THAT(Fork(id, "f", true).env_ids(), ElementsAre(2, 3));
  v1::Session session;
  ASSERT_TRUE(Get(id, &session).ok());
  EXPECT_EQ(session.num_envs(), 4U);
}

TEST_F(ReplayCreateRpcTest, AChildOfANamedSessionIsASessionOfItsOwn) {
  const v1::Session made = Create(Named("a"));
  v1::ResetRequest reset;
  reset.set_session_id(made.session_id());
  v1::ResetReply begun;
  ASSERT_TRUE(Reset(reset, &begun).ok());
  EXPECT_NE(Fork(made.session_id(), "f").session().session_id(), made.session_id());
  EXPECT_EQ(Create(Named("a")).session_id(), made.session_id());
}

}  // namespace
}  // namespace gwm::server
