// CreateSession, GetSession, CloseSession, leases, and what a restart means for ids.
#include <algorithm>
#include <thread>

#include "tests/server/rpc/server_fixture.h"

namespace gwm::server {
namespace {

using fakes::DetailsOf;
using SessionRpcTest = ServerTest;

TEST_F(SessionRpcTest, ReturnsEffectiveValuesOfANewSession) {
  v1::CreateSessionRequest request;
  request.set_num_envs(3);
  request.add_observations("rgb");
  request.mutable_idle_ttl()->set_seconds(10);
  request.set_max_episode_steps(50);
  const v1::Session session = Create(request);
  EXPECT_EQ(session.num_envs(), 3u);
  EXPECT_EQ(session.model_id(), "fake");
  EXPECT_EQ(session.sampler().calls(), 2u);
  EXPECT_EQ(session.idle_ttl().seconds(), 10);
  EXPECT_EQ(session.state_bytes(), 300u);
  ASSERT_EQ(session.envs_size(), 3);
  EXPECT_EQ(session.envs(0).phase(), v1::EnvStatus::PHASE_NEEDS_RESET);
  EXPECT_EQ(absl::ToUnixSeconds(clock_.Now() + absl::Seconds(10)),
            session.lease_expires_at().seconds());
}

TEST_F(SessionRpcTest, GivesDifferentIdsAndDefaultSeeds) {
  const v1::Session a = Create(), b = Create();
  EXPECT_NE(a.session_id(), b.session_id());
  EXPECT_NE(a.seed(), b.seed());
}

TEST_F(SessionRpcTest, RejectsBadSettingsWithTheFieldsName) {
  struct Case {
    std::function<void(v1::CreateSessionRequest&)> spoil;
    grpc::StatusCode code;
    std::string reason, field;
  };
  const std::vector<Case> cases = {
      {[](auto& r) { r.set_model_id("other"); }, grpc::NOT_FOUND, "UNKNOWN", "model_id"},
      {[](auto& r) { r.set_checkpoint_digest("ff"); }, grpc::NOT_FOUND, "UNKNOWN",
       "checkpoint_digest"},
      {[](auto& r) { r.set_num_envs(1000); }, grpc::OUT_OF_RANGE, "LIMIT", "num_envs"},
      {[](auto& r) { r.set_num_envs(200); }, grpc::RESOURCE_EXHAUSTED, "QUOTA", ""},
      {[](auto& r) { r.mutable_sampler()->set_calls(9); }, grpc::INVALID_ARGUMENT, "BAD_FIELD",
       "sampler.calls"},
      {[](auto& r) { r.add_observations("smell"); }, grpc::INVALID_ARGUMENT, "BAD_FIELD",
       "observations[0]"},
      {[](auto& r) { r.mutable_idle_ttl()->set_nanos(5); }, grpc::INVALID_ARGUMENT, "BAD_FIELD",
       "idle_ttl"},
      {[](auto& r) { r.mutable_idle_ttl()->set_seconds(INT64_MAX); }, grpc::INVALID_ARGUMENT,
       "BAD_FIELD", "idle_ttl"},
      {[](auto& r) { r.mutable_max_lifetime()->set_seconds(-1); }, grpc::INVALID_ARGUMENT,
       "BAD_FIELD", "max_lifetime"},
      {[](auto& r) { r.set_auto_reset(static_cast<v1::AutoReset>(9)); }, grpc::INVALID_ARGUMENT,
       "BAD_FIELD", "auto_reset"},
  };
  for (const Case& one : cases) {
    v1::CreateSessionRequest request;
    one.spoil(request);
    v1::Session session;
    const grpc::Status status = TryCreate(request, &session);
    EXPECT_EQ(status.error_code(), one.code) << status.error_message();
    EXPECT_EQ(DetailsOf(status).reason, one.reason) << status.error_message();
    EXPECT_EQ(DetailsOf(status).field, one.field) << status.error_message();
  }
  EXPECT_EQ(server_->session_counts().sessions, 0u);
}

TEST_F(SessionRpcTest, RefusesMoreSessionsThanAllowedUntilOneIsClosed) {
  options_.limits.max_sessions = 2;
  StartServer();
  const v1::Session first = Create();
  Create();
  v1::Session session;
  const grpc::Status refused = TryCreate({}, &session);
  EXPECT_EQ(refused.error_code(), grpc::RESOURCE_EXHAUSTED);
  EXPECT_EQ(DetailsOf(refused).reason, "QUOTA");
  EXPECT_TRUE(DetailsOf(refused).retry);
  EXPECT_TRUE(Close(first.session_id()).ok());
  EXPECT_TRUE(TryCreate({}, &session).ok());
}

TEST_F(SessionRpcTest, CloseGivesTheStatesBackAndMayBeRepeated) {
  const std::string id = Ready(3);
  EXPECT_EQ(controls_->live_states, 3);
  EXPECT_TRUE(Close(id).ok());
  EXPECT_EQ(controls_->live_states, 0);
  EXPECT_TRUE(Close(id).ok());
  v1::Session session;
  const grpc::Status status = Get(id, &session);
  EXPECT_EQ(status.error_code(), grpc::FAILED_PRECONDITION);
  EXPECT_EQ(DetailsOf(status).reason, "CLOSED");
}

TEST_F(SessionRpcTest, UnknownIdsAreNotFound) {
  v1::Session session;
  for (const std::string& id : {std::string(), std::string("nonsense"), std::string(5000, 'x'),
                                Create().server_instance_id() + "-" + std::string(32, '0')}) {
    const grpc::Status status = Get(id, &session);
    EXPECT_EQ(status.error_code(), grpc::NOT_FOUND) << id.substr(0, 40);
    EXPECT_EQ(DetailsOf(status).reason, "UNKNOWN");
    EXPECT_EQ(DetailsOf(status).field, "session_id");
  }
}

TEST_F(SessionRpcTest, AnIdOfAnEarlierProcessIsToldApart) {
  const std::string id = Ready();
  StartServer();
  v1::StepReply reply;
  const grpc::Status status = Step(StepOf(id, {0.5f}), &reply);
  EXPECT_EQ(status.error_code(), grpc::NOT_FOUND);
  EXPECT_EQ(DetailsOf(status).reason, "SERVER_RESTARTED");
}

TEST_F(SessionRpcTest, TheLeaseOfAVanishedClientEndsAndItsStatesComeBack) {
  const std::string id = Ready(2);
  const std::string other = Ready(1);
  clock_.Advance(absl::Seconds(200));
  v1::Session session;
  EXPECT_TRUE(Get(other, &session).ok());
  clock_.Advance(absl::Seconds(200));
  server_->ReapExpiredSessions();
  EXPECT_EQ(controls_->live_states, 1);
  const grpc::Status status = Get(id, &session);
  EXPECT_EQ(status.error_code(), grpc::NOT_FOUND);
  EXPECT_EQ(DetailsOf(status).reason, "EXPIRED");
  EXPECT_TRUE(Get(other, &session).ok());
}

TEST_F(SessionRpcTest, ASessionNeverOutlivesItsLifetime) {
  v1::CreateSessionRequest request;
  request.mutable_max_lifetime()->set_seconds(100);
  const std::string id = Create(request).session_id();
  v1::Session session;
  clock_.Advance(absl::Seconds(60));
  EXPECT_TRUE(Get(id, &session).ok());
  clock_.Advance(absl::Seconds(41));
  EXPECT_EQ(Get(id, &session).error_code(), grpc::NOT_FOUND);
}

TEST_F(SessionRpcTest, ARenewalKeepsTheSessionAndTellsHowLong) {
  const std::string id = Ready();
  clock_.Advance(absl::Seconds(200));
  v1::RenewSessionRequest request;
  request.set_session_id(id);
  v1::RenewSessionReply reply;
  ASSERT_TRUE(Call(*simulator_, &v1::Simulator::Stub::RenewSession, request, &reply).ok());
  EXPECT_EQ(reply.expires_in().seconds(), 300);
  clock_.Advance(absl::Seconds(200));
  EXPECT_TRUE(Call(*simulator_, &v1::Simulator::Stub::RenewSession, request, &reply).ok());
  clock_.Advance(absl::Seconds(301));
  const grpc::Status gone = Call(*simulator_, &v1::Simulator::Stub::RenewSession, request, &reply);
  EXPECT_EQ(DetailsOf(gone).reason, "EXPIRED");
}

class ListSessionsTest : public ServerTest {
 protected:
  grpc::Status List(const v1::ListSessionsRequest& request, v1::ListSessionsReply* reply) {
    return Call(*simulator_, &v1::Simulator::Stub::ListSessions, request, reply);
  }
  std::string CreateFor(const std::string& client) {
    v1::CreateSessionRequest request;
    request.mutable_context()->set_client_id(client);
    request.set_num_envs(2);
    return Create(request).session_id();
  }
};

TEST_F(ListSessionsTest, ShowsAClientItsOwnSessionsInPages) {
  std::vector<std::string> mine = {CreateFor("me"), CreateFor("me"), CreateFor("me")};
  CreateFor("other");
  std::sort(mine.begin(), mine.end());
  v1::ListSessionsRequest request;
  request.mutable_context()->set_client_id("me");
  request.set_page_size(2);
  std::vector<std::string> seen;
  do {
    v1::ListSessionsReply reply;
    ASSERT_TRUE(List(request, &reply).ok());
    EXPECT_LE(reply.sessions_size(), 2);
    for (const auto& session : reply.sessions()) {
      seen.push_back(session.session_id());
      EXPECT_EQ(session.num_envs(), 2u);
      EXPECT_EQ(session.state_bytes(), 200u);
    }
    request.set_page_token(reply.next_page_token());
  } while (!request.page_token().empty());
  EXPECT_EQ(seen, mine);
}

TEST_F(ListSessionsTest, RefusesNoNameABadNameAndALongPage) {
  v1::ListSessionsReply reply;
  v1::ListSessionsRequest request;
  EXPECT_EQ(DetailsOf(List(request, &reply)).field, "context.client_id");
  request.mutable_context()->set_client_id("\x7f");
  EXPECT_EQ(DetailsOf(List(request, &reply)).field, "context.client_id");
  request.mutable_context()->set_client_id("me");
  request.set_page_size(101);
  const grpc::Status status = List(request, &reply);
  EXPECT_EQ(status.error_code(), grpc::OUT_OF_RANGE);
  EXPECT_EQ(DetailsOf(status).field, "page_size");
  v1::CreateSessionRequest create;
  create.mutable_context()->set_client_id(std::string(65, 'x'));
  v1::Session session;
  EXPECT_EQ(DetailsOf(TryCreate(create, &session)).field, "context.client_id");
}

TEST_F(SessionRpcTest, RefusesWhatTheStatePoolDoesNotHold) {
  options_.limits.max_state_bytes = 500;
  StartServer();
  const std::string id = Ready(4);
  v1::CreateSessionRequest request;
  request.set_num_envs(2);
  v1::Session session;
  const grpc::Status refused = TryCreate(request, &session);
  EXPECT_EQ(DetailsOf(refused).reason, "QUOTA");
  EXPECT_TRUE(DetailsOf(refused).retry);
  EXPECT_TRUE(Close(id).ok());
  EXPECT_TRUE(TryCreate(request, &session).ok());
}

TEST_F(SessionRpcTest, AnEvictedSessionSaysSo) {
  options_.limits.max_sessions = 1;
  StartServer();
  v1::CreateSessionRequest request;
  request.set_evictable(true);
  const v1::Session first = Create(request);
  EXPECT_TRUE(first.evictable());
  Create(request);
  v1::Session session;
  const grpc::Status status = Get(first.session_id(), &session);
  EXPECT_EQ(status.error_code(), grpc::NOT_FOUND);
  EXPECT_EQ(DetailsOf(status).reason, "EVICTED");
}

// States that are resident, in whatever way a session ends or starts anew.
class ResidencyTest : public ServerTest {
 protected:
  int64_t resident() const { return controls_->live_states; }
};

TEST_F(ResidencyTest, AResetReplacesStatesAndAddsNone) {
  const std::string id = Ready(3);
  v1::StepReply step;
  ASSERT_TRUE(Step(StepOf(id, {0.5f, 0.5f, 0.5f}), &step).ok());
  v1::ResetRequest reset;
  reset.set_session_id(id);
  v1::ResetReply reply;
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(Reset(reset, &reply).ok());
  EXPECT_EQ(resident(), 3);
}

TEST_F(ResidencyTest, AFailedRowHoldsNoState) {
  const std::string id = Ready(2);
  v1::StepReply reply;
  ASSERT_TRUE(Step(StepOf(id, {fakes::kPoisonAction, 0.5f}), &reply).ok());
  EXPECT_EQ(resident(), 1);
}

TEST_F(ResidencyTest, KeptRepliesHoldNoStates) {
  const std::string id = Ready(2);
  v1::StepRequest request = StepOf(id, {0.5f, 0.5f});
  request.mutable_context()->set_request_id("a");
  v1::StepReply reply;
  ASSERT_TRUE(Step(request, &reply).ok());
  EXPECT_EQ(resident(), 2);
}

TEST_F(ResidencyTest, AClientThatGoesAwayInTheMiddleOfARolloutLeavesNothingBehind) {
  const std::string id = Ready();
  v1::ImagineRequest request;
  request.set_session_id(id);
  request.set_branches(8);
  *request.mutable_actions() = fakes::F32({1, 100, 2}, std::vector<float>(200, 0.0f));
  {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    const auto stub = v1::Simulator::NewStub(grpc::CreateCustomChannel(
        server_->addresses().front(), grpc::InsecureChannelCredentials(), arguments));
    grpc::ClientContext context;
    const auto stream = stub->Imagine(&context, request);
    v1::ImagineChunk chunk;
    ASSERT_TRUE(stream->Read(&chunk));
    context.TryCancel();
  }
  while (resident() > 1) std::this_thread::yield();
  clock_.Advance(absl::Seconds(301));
  server_->ReapExpiredSessions();
  EXPECT_EQ(resident(), 0);
  EXPECT_EQ(server_->session_counts().state_bytes, 0u);
}

}  // namespace
}  // namespace gwm::server
