// Sessions whose states wait in host memory while others have the pool.
#include <functional>
#include <future>
#include <map>

#include "tests/server/rpc/server_fixture.h"

namespace gwm::server {
namespace {

using fakes::DetailsOf;
using Stub = v1::Simulator::Stub;

// Room for the states of three environments.
class SpillRpcTest : public ServerTest {
 protected:
  void SetUp() override {
    options_.limits.max_state_bytes = 300;
    StartServer();
  }

  std::string Make(bool spillable, uint32_t num_envs = 1, bool evictable = false) {
    v1::CreateSessionRequest request;
    request.set_num_envs(num_envs);
    request.set_seed(7);
    request.set_spillable(spillable);
    request.set_evictable(evictable);
    request.add_observations("latent");
    v1::Session session;
    const grpc::Status status = TryCreate(request, &session);
    if (!status.ok()) return DetailsOf(status).reason;
    v1::ResetRequest reset;
    reset.set_session_id(session.session_id());
    v1::ResetReply reply;
    EXPECT_TRUE(Reset(reset, &reply).ok());
    clock_.Advance(absl::Seconds(1));
    return session.session_id();
  }
  v1::SessionState StateOf(const std::string& id) {
    v1::Session session;
    EXPECT_TRUE(Get(id, &session).ok());
    return session.state();
  }
  // One step of a session of one environment; its latents hold a hash of all noise so far.
  std::string StepOnce(const std::string& id, float action = 0.25f) {
    v1::StepReply reply;
    const grpc::Status status = Step(StepOf(id, {action}), &reply);
    clock_.Advance(absl::Seconds(1));
    return status.ok() ? reply.observations().at("latent").data() : DetailsOf(status).reason;
  }
  v1::ServerInfo Info() {
    v1::ServerInfo info;
    EXPECT_TRUE(
        Call(*info_, &v1::Server::Stub::GetServerInfo, v1::GetServerInfoRequest(), &info).ok());
    return info;
  }
  // A session that was spilled after one step, and two that hold the pool.
  std::string Spilled() {
    const std::string id = Make(true);
    StepOnce(id);
    Make(true, 3);
    EXPECT_EQ(StateOf(id), v1::SESSION_STATE_SPILLED);
    return id;
  }
};

TEST_F(SpillRpcTest, TheLongestIdleOfThoseThatAllowItGoesFirst) {
  const std::string fixed = Make(false), older = Make(true), newer = Make(true);
  StepOnce(older);
  StepOnce(fixed);
  EXPECT_EQ(controls_->live_states, 3);
  const std::string another = Make(true);
  EXPECT_EQ(StateOf(newer), v1::SESSION_STATE_SPILLED);
  EXPECT_EQ(StateOf(older), v1::SESSION_STATE_RESIDENT);
  EXPECT_EQ(StateOf(fixed), v1::SESSION_STATE_RESIDENT);
  EXPECT_EQ(StateOf(another), v1::SESSION_STATE_RESIDENT);
  EXPECT_EQ(controls_->live_states, 3);
  EXPECT_EQ(Info().state_bytes(), 300u);
  EXPECT_EQ(Info().sessions(), 4u);
  EXPECT_EQ(Info().spilled_bytes(), 80u);  // x, hash and pose of the fake's state
}

TEST_F(SpillRpcTest, AStateComesBackBitForBit) {
  std::vector<std::string> expected, seen;
  {
    const std::string alone = Make(false);
    for (int i = 0; i < 10; ++i) expected.push_back(StepOnce(alone));
    EXPECT_TRUE(Close(alone).ok());
  }
  const std::string id = Make(true), other = Make(true, 3);
  for (int i = 0; i < 10; ++i) {
    // Each of them drives the other one out.
    seen.push_back(StepOnce(id));
    EXPECT_EQ(StateOf(other), v1::SESSION_STATE_SPILLED);
    v1::StepReply reply;
    ASSERT_TRUE(Step(StepOf(other, {0.1f, 0.2f, 0.3f}), &reply).ok());
    clock_.Advance(absl::Seconds(1));
    EXPECT_EQ(StateOf(id), v1::SESSION_STATE_SPILLED);
  }
  EXPECT_EQ(seen, expected);
  EXPECT_TRUE(Close(id).ok());
  EXPECT_TRUE(Close(other).ok());
  EXPECT_EQ(controls_->live_states, 0);
  EXPECT_EQ(Info().spilled_bytes(), 0u);
  EXPECT_EQ(Info().state_bytes(), 0u);
}

TEST_F(SpillRpcTest, AFullPoolOfOthersRefuses) {
  Make(false, 3);
  EXPECT_EQ(Make(true), "QUOTA");
  EXPECT_EQ(controls_->live_states, 3);
}

TEST_F(SpillRpcTest, NothingIsSpilledWhenThatWouldNotDo) {
  const std::string fixed = Make(false, 2), small = Make(true);
  EXPECT_EQ(Make(true, 2), "QUOTA");
  EXPECT_EQ(StateOf(small), v1::SESSION_STATE_RESIDENT);
}

TEST_F(SpillRpcTest, SpillingComesBeforeEvicting) {
  const std::string evictable = Make(false, 1, true), spillable = Make(true), fixed = Make(false);
  Make(false);
  EXPECT_EQ(StateOf(spillable), v1::SESSION_STATE_SPILLED);
  EXPECT_EQ(StateOf(evictable), v1::SESSION_STATE_RESIDENT);
  Make(false);
  v1::Session session;
  EXPECT_EQ(DetailsOf(Get(evictable, &session)).reason, "EVICTED");
  EXPECT_EQ(StateOf(spillable), v1::SESSION_STATE_SPILLED);
}

TEST_F(SpillRpcTest, ASessionInUseStays) {
  const std::string busy = Make(true, 3);
  controls_->gate.Close();
  auto running = std::async(std::launch::async, [&] {
    v1::StepReply reply;
    return Step(StepOf(busy, {0, 0, 0}), &reply);
  });
  controls_->gate.AwaitWaiter();
  EXPECT_EQ(Make(true), "QUOTA");
  controls_->gate.Open();
  EXPECT_TRUE(running.get().ok());
  clock_.Advance(absl::Seconds(1));
  EXPECT_EQ(Make(true).size(), 49u);
  EXPECT_EQ(StateOf(busy), v1::SESSION_STATE_SPILLED);
}

TEST_F(SpillRpcTest, EveryCallFindsTheStateAgain) {
  const std::map<std::string, std::function<grpc::Status(const std::string&)>> calls = {
      {"Render",
       [&](const std::string& id) {
         v1::RenderRequest request;
         request.set_session_id(id);
         v1::RenderReply reply;
         return Render(request, &reply);
       }},
      {"Export",
       [&](const std::string& id) {
         v1::ExportStateRequest request;
         request.set_session_id(id);
         v1::ExportStateReply reply;
         return Call(*simulator_, &Stub::ExportState, request, &reply);
       }},
      {"Fork",
       [&](const std::string& id) {
         v1::ForkRequest request;
         request.set_session_id(id);
         v1::ForkReply reply;
         return Call(*simulator_, &Stub::Fork, request, &reply);
       }},
      {"Observe",
       [&](const std::string& id) {
         v1::ObserveRequest request;
         request.set_session_id(id);
         *request.mutable_frames() = fakes::TestFrames(1, 1, 'a');
         v1::ObserveReply reply;
         return Call(*simulator_, &Stub::Observe, request, &reply);
       }},
      {"Plan",
       [&](const std::string& id) {
         v1::PlanRequest request;
         request.set_session_id(id);
         *request.mutable_actions() = fakes::F32({1, 2, 2}, {0, 0, 0, 0});
         v1::PlanReply reply;
         return Call(*simulator_, &Stub::Plan, request, &reply);
       }},
      {"Imagine",
       [&](const std::string& id) {
         v1::ImagineRequest request;
         request.set_session_id(id);
         *request.mutable_actions() = fakes::F32({1, 2, 2}, {0, 0, 0, 0});
         grpc::ClientContext context;
         auto stream = simulator_->Imagine(&context, request);
         v1::ImagineChunk chunk;
         while (stream->Read(&chunk)) {
         }
         return stream->Finish();
       }},
      {"Reset",
       [&](const std::string& id) {
         v1::ResetRequest request;
         request.set_session_id(id);
         v1::ResetReply reply;
         return Reset(request, &reply);
       }},
  };
  for (const auto& [name, call] : calls) {
    StartServer();
    const std::string id = Spilled();
    const grpc::Status status = call(id);
    EXPECT_TRUE(status.ok()) << name << ": " << status.error_message();
    EXPECT_EQ(StateOf(id), v1::SESSION_STATE_RESIDENT) << name;
    EXPECT_EQ(StepOnce(id).size(), 48u) << name;
  }
}

TEST_F(SpillRpcTest, LookingAtASessionLeavesItWhereItIs) {
  const std::string id = Spilled();
  v1::Session session;
  ASSERT_TRUE(Get(id, &session).ok());
  EXPECT_EQ(session.envs(0).phase(), v1::EnvStatus::PHASE_RUNNING);
  EXPECT_EQ(session.envs(0).step_index(), 1u);
  EXPECT_TRUE(session.spillable());
  EXPECT_EQ(StateOf(id), v1::SESSION_STATE_SPILLED);
}

TEST_F(SpillRpcTest, AKeptStateOfASpilledSessionCanBeUsedByOthers) {
  const std::string id = Make(true);
  StepOnce(id);
  v1::ExportStateRequest request;
  request.set_session_id(id);
  request.set_keep_on_server(true);
  v1::ExportStateReply kept;
  ASSERT_TRUE(Call(*simulator_, &Stub::ExportState, request, &kept).ok());
  const std::string expected = StepOnce(id);
  clock_.Advance(absl::Seconds(1));
  const std::string other = Make(false, 2);
  EXPECT_EQ(StateOf(id), v1::SESSION_STATE_SPILLED);
  v1::ResetRequest reset;
  reset.set_session_id(other);
  *reset.mutable_state() = kept.state();
  reset.add_env_ids(0);
  v1::ResetReply start;
  ASSERT_TRUE(Reset(reset, &start).ok());
  EXPECT_EQ(StateOf(id), v1::SESSION_STATE_SPILLED);
  v1::StepRequest step = StepOf(other, {0.25f});
  step.add_env_ids(0);
  v1::StepReply reply;
  ASSERT_TRUE(Step(step, &reply).ok());
  EXPECT_EQ(reply.observations().at("latent").data(), expected);
}

TEST_F(SpillRpcTest, WithoutRoomToComeBackItStaysUntilThereIs) {
  const std::string id = Make(true);
  const std::string first = StepOnce(id);
  const std::string fixed = Make(false, 3);
  ASSERT_EQ(StateOf(id), v1::SESSION_STATE_SPILLED);
  EXPECT_EQ(StepOnce(id), "QUOTA");
  EXPECT_EQ(StateOf(id), v1::SESSION_STATE_SPILLED);
  ASSERT_TRUE(Close(fixed).ok());
  EXPECT_EQ(StepOnce(id).size(), 48u);
  v1::Session session;
  ASSERT_TRUE(Get(id, &session).ok());
  EXPECT_EQ(session.envs(0).step_index(), 2u);
}

TEST_F(SpillRpcTest, AFullPoolBeneathLeavesTheStateOnTheHost) {
  const std::string id = Spilled();
  controls_->pool_states = 0;
  EXPECT_EQ(StepOnce(id), "GPU_MEMORY");
  EXPECT_EQ(StateOf(id), v1::SESSION_STATE_SPILLED);
  controls_->pool_states = 64;
  EXPECT_EQ(StepOnce(id).size(), 48u);
}

TEST_F(SpillRpcTest, HostMemoryIsBoundedToo) {
  options_.limits.max_spill_bytes = 100;  // one state of 80 bytes
  StartServer();
  const std::string first = Make(true), second = Make(true), third = Make(true);
  Make(true);
  EXPECT_EQ(StateOf(first), v1::SESSION_STATE_SPILLED);
  EXPECT_EQ(Make(true), "QUOTA");
  EXPECT_EQ(StateOf(second), v1::SESSION_STATE_RESIDENT);
  EXPECT_EQ(StateOf(third), v1::SESSION_STATE_RESIDENT);
  v1::Limits limits;
  ASSERT_TRUE(Call(*info_, &v1::Server::Stub::GetLimits, v1::GetLimitsRequest(), &limits).ok());
  EXPECT_EQ(limits.max_spill_bytes(), 100u);
}

TEST_F(SpillRpcTest, ASpilledSessionExpiresLikeAnyOther) {
  const std::string id = Spilled();
  clock_.Advance(absl::Seconds(300));
  server_->ReapExpiredSessions();
  v1::Session session;
  EXPECT_EQ(DetailsOf(Get(id, &session)).reason, "EXPIRED");
  EXPECT_EQ(Info().spilled_bytes(), 0u);
  EXPECT_EQ(Info().state_bytes(), 0u);
  EXPECT_EQ(controls_->live_states, 0);
}

TEST_F(SpillRpcTest, SharedStatesAreStillSharedAfterwards) {
  const std::string id = Make(true);
  v1::ForkRequest fork;
  fork.set_session_id(id);
  fork.set_into_same_session(true);
  fork.set_count(2);
  v1::ForkReply reply;
  ASSERT_TRUE(Call(*simulator_, &Stub::Fork, fork, &reply).ok());
  EXPECT_EQ(controls_->live_states, 1);
  clock_.Advance(absl::Seconds(1));
  Make(true);
  EXPECT_EQ(StateOf(id), v1::SESSION_STATE_SPILLED);
  EXPECT_EQ(Info().spilled_bytes(), 80u);
  EXPECT_EQ(Positions(id).size(), 6u);
  EXPECT_EQ(controls_->live_states, 1);  // and the other session is out
}

}  // namespace
}  // namespace gwm::server
