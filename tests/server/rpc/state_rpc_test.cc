// Fork, ExportState, ImportState, DropState, and states as a start.
#include <gmock/gmock.h>

#include <random>

#include "tests/server/rpc/server_fixture.h"

namespace gwm::server {
namespace {

using fakes::DetailsOf;
using fakes::Floats;
using ::testing::ElementsAre;
using Stub = v1::Simulator::Stub;

class StateRpcTest : public ServerTest {
 protected:
  grpc::Status Fork(const v1::ForkRequest& request, v1::ForkReply* reply) {
    return Call(*simulator_, &Stub::Fork, request, reply);
  }
  v1::ForkReply Forked(const std::string& id, v1::ForkRequest::SeedMode mode,
                       bool into_same_session = false, uint32_t count = 1) {
    v1::ForkRequest request;
    request.set_session_id(id);
    request.set_count(count);
    request.set_seed_mode(mode);
    request.set_into_same_session(into_same_session);
    v1::ForkReply reply;
    const grpc::Status status = Fork(request, &reply);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return reply;
  }
  grpc::Status Export(const std::string& id, bool keep, v1::ExportStateReply* reply) {
    v1::ExportStateRequest request;
    request.set_session_id(id);
    request.set_keep_on_server(keep);
    return Call(*simulator_, &Stub::ExportState, request, reply);
  }
  v1::StateRef Exported(const std::string& id, bool keep = false) {
    v1::ExportStateReply reply;
    const grpc::Status status = Export(id, keep, &reply);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return reply.state();
  }
  grpc::Status ResetTo(const std::string& id, const v1::StateRef& state,
                       v1::ResetReply* reply = nullptr) {
    v1::ResetRequest request;
    request.set_session_id(id);
    *request.mutable_state() = state;
    v1::ResetReply unused;
    return Reset(request, reply == nullptr ? &unused : reply);
  }
  // What a session of one environment shows on a walk; its latents hold a hash of all noise so far.
  std::string Walk(const std::string& id, const std::vector<float>& actions,
                   std::vector<uint32_t> env_ids = {}) {
    std::string seen;
    for (float action : actions) {
      v1::StepRequest request = StepOf(id, {action});
      request.add_observations("latent");
      for (uint32_t env : env_ids) request.add_env_ids(env);
      v1::StepReply reply;
      const grpc::Status status = Step(request, &reply);
      EXPECT_TRUE(status.ok()) << status.error_message();
      seen += reply.observations().at("latent").data();
    }
    return seen;
  }
  std::vector<float> RandomActions(int count) {
    std::uniform_real_distribution<float> uniform(-0.3f, 0.3f);
    std::vector<float> actions;
    for (int i = 0; i < count; ++i) actions.push_back(uniform(random_));
    return actions;
  }
  int64_t resident() const { return controls_->live_states; }

  std::mt19937 random_{3};
};

TEST_F(StateRpcTest, KeepReproducesTheParentAndSplitDiffersOnRandomWalks) {
  for (int walk = 0; walk < 20; ++walk) {
    const std::string id = Ready(1, static_cast<uint64_t>(walk));
    Walk(id, RandomActions(walk % 4));
    const std::string kept = Forked(id, v1::ForkRequest::SEED_MODE_KEEP).session().session_id();
    const std::string split = Forked(id, v1::ForkRequest::SEED_MODE_SPLIT).session().session_id();
    const std::string again = Forked(id, v1::ForkRequest::SEED_MODE_SPLIT).session().session_id();
    const auto actions = RandomActions(5);
    const std::string expected = Walk(id, actions);
    EXPECT_EQ(Walk(kept, actions), expected);
    const std::string different = Walk(split, actions);
    EXPECT_NE(different, expected);
    EXPECT_NE(Walk(again, actions), different);
    for (const std::string& one : {id, kept, split, again}) EXPECT_TRUE(Close(one).ok());
  }
  EXPECT_EQ(resident(), 0);
}

TEST_F(StateRpcTest, AForkSharesStatesUntilTheyDiffer) {
  const std::string id = Ready(2);
  const v1::ForkReply reply = Forked(id, v1::ForkRequest::SEED_MODE_KEEP, false, 3);
  EXPECT_EQ(resident(), 2);
  EXPECT_EQ(reply.session().num_envs(), 6u);
  EXPECT_EQ(reply.session().state_bytes(), 600u);
  EXPECT_THAT(reply.env_ids(), ElementsAre(0, 1, 2, 3, 4, 5));
  EXPECT_EQ(server_->session_counts().envs, 8u);
  const auto parents = Positions(id), children = Positions(reply.session().session_id());
  for (size_t child = 0; child < 6; ++child) {
    EXPECT_EQ(children[2 * child], parents[2 * (child / 3)]);
  }
  v1::StepRequest step = StepOf(reply.session().session_id(), {0.5f});
  step.add_env_ids(4);
  v1::StepReply stepped;
  ASSERT_TRUE(Step(step, &stepped).ok());
  EXPECT_EQ(resident(), 3);
  EXPECT_EQ(Positions(id), parents);
}

TEST_F(StateRpcTest, ChildrenCanJoinTheSessionOfTheirParent) {
  const std::string id = Ready();
  Walk(id, {0.1f, 0.1f});
  const v1::ForkReply reply = Forked(id, v1::ForkRequest::SEED_MODE_KEEP, true, 2);
  EXPECT_THAT(reply.env_ids(), ElementsAre(1, 2));
  EXPECT_EQ(reply.session().session_id(), id);
  EXPECT_EQ(reply.session().envs(2).step_index(), 2u);
  const std::string first = Walk(id, {0.2f}, {1});
  EXPECT_EQ(Walk(id, {0.2f}, {0}), first);
  EXPECT_TRUE(Close(id).ok());
  EXPECT_EQ(resident(), 0);
  EXPECT_EQ(server_->session_counts().envs, 0u);
}

TEST_F(StateRpcTest, AForkThatCannotBeLeavesEverythingAsItWas) {
  const std::string id = Ready(4);
  v1::ForkRequest request;
  request.set_session_id(id);
  request.set_count(100);
  v1::ForkReply reply;
  EXPECT_EQ(DetailsOf(Fork(request, &reply)).field, "count");
  for (bool same : {false, true}) {
    request.set_count(8);
    request.set_into_same_session(same);
    const grpc::Status full = Fork(request, &reply);
    EXPECT_EQ(full.error_code(), grpc::RESOURCE_EXHAUSTED);
    EXPECT_EQ(DetailsOf(full).reason, "QUOTA");
  }
  request.set_seed_mode(static_cast<v1::ForkRequest::SeedMode>(9));
  EXPECT_EQ(DetailsOf(Fork(request, &reply)).field, "seed_mode");
  request.clear_seed_mode();
  request.set_count(1);
  request.add_env_ids(9);
  EXPECT_EQ(DetailsOf(Fork(request, &reply)).field, "env_ids[0]");
  request.clear_env_ids();
  request.set_session_id(Create().session_id());
  EXPECT_EQ(DetailsOf(Fork(request, &reply)).reason, "NEEDS_RESET");
  EXPECT_EQ(server_->session_counts().envs, 5u);
  EXPECT_EQ(resident(), 4);
}

TEST_F(StateRpcTest, AnExportedStateGoesOnInAnotherProcess) {
  const std::string id = Ready(1, 5);
  Walk(id, {0.1f, 0.2f});
  const v1::StateRef state = Exported(id);
  const std::string expected = Walk(id, {0.1f, -0.1f, 0.3f});
  StartServer();
  v1::CreateSessionRequest create;
  create.set_num_envs(3);
  create.set_seed(77);
  const std::string other = Create(create).session_id();
  v1::ResetRequest reset;
  reset.set_session_id(other);
  reset.add_env_ids(2);
  *reset.mutable_state() = state;
  v1::ResetReply reply;
  ASSERT_TRUE(Reset(reset, &reply).ok());
  EXPECT_THAT(reply.step_index(), ElementsAre(2));
  EXPECT_EQ(reply.pool_indices_size(), 0);
  EXPECT_EQ(Walk(other, {0.1f, -0.1f, 0.3f}, {2}), expected);
  // With a seed it is another story from the same place.
  reset.set_seed(1);
  ASSERT_TRUE(Reset(reset, &reply).ok());
  EXPECT_NE(Walk(other, {0.1f, -0.1f, 0.3f}, {2}), expected);
}

TEST_F(StateRpcTest, TheEndOfAnEpisodeStaysTheEnd) {
  v1::CreateSessionRequest create;
  create.set_max_episode_steps(1);
  const std::string id = Create(create).session_id();
  v1::ResetRequest reset;
  reset.set_session_id(id);
  v1::ResetReply reply;
  ASSERT_TRUE(Reset(reset, &reply).ok());
  Walk(id, {0.1f});
  const v1::StateRef end = Exported(id);
  ASSERT_TRUE(ResetTo(id, end).ok());
  v1::StepReply step;
  EXPECT_EQ(DetailsOf(Step(StepOf(id, {0.1f}), &step)).reason, "NEEDS_RESET");
  v1::ImagineRequest imagine;
  *imagine.mutable_state() = end;
  *imagine.mutable_actions() = fakes::F32({1, 1, 2}, {0, 0});
  grpc::ClientContext context;
  EXPECT_EQ(DetailsOf(simulator_->Imagine(&context, imagine)->Finish()).reason, "NEEDS_RESET");
}

TEST_F(StateRpcTest, KeptStatesCountAndGoWithTheirSessionOrWhenDropped) {
  const std::string id = Ready();
  const v1::StateRef first = Exported(id, true), second = Exported(id, true);
  Walk(id, {0.1f});
  EXPECT_EQ(resident(), 2);
  v1::Session session;
  ASSERT_TRUE(Get(id, &session).ok());
  EXPECT_EQ(session.kept_states(), 2u);
  EXPECT_EQ(session.state_bytes(), 300u);
  EXPECT_EQ(server_->session_counts().state_bytes, 300u);
  v1::DropStateRequest drop;
  drop.set_state_id(first.state_id());
  v1::DropStateReply dropped;
  for (int i = 0; i < 2; ++i) {
    EXPECT_TRUE(Call(*simulator_, &Stub::DropState, drop, &dropped).ok());
  }
  EXPECT_EQ(server_->session_counts().state_bytes, 200u);
  EXPECT_EQ(DetailsOf(ResetTo(id, first)).reason, "UNKNOWN");
  const std::string other = Ready();
  EXPECT_TRUE(ResetTo(other, second).ok());
  EXPECT_TRUE(Close(id).ok());
  EXPECT_EQ(DetailsOf(ResetTo(other, second)).reason, "CLOSED");
  EXPECT_TRUE(Close(other).ok());
  EXPECT_EQ(resident(), 0);
  EXPECT_EQ(server_->session_counts().state_bytes, 0u);
}

TEST_F(StateRpcTest, KeepsAsManyStatesAsAllowed) {
  options_.limits.max_kept_states = 1;
  StartServer();
  const std::string id = Ready();
  const v1::StateRef blob = Exported(id);
  Exported(id, true);
  v1::ExportStateReply reply;
  EXPECT_EQ(DetailsOf(Export(id, true, &reply)).reason, "QUOTA");
  v1::ImportStateRequest request;
  request.set_session_id(id);
  request.set_blob(blob.blob());
  v1::ImportStateReply imported;
  EXPECT_EQ(DetailsOf(Call(*simulator_, &Stub::ImportState, request, &imported)).reason, "QUOTA");
  EXPECT_EQ(resident(), 1);
}

TEST_F(StateRpcTest, RendersAndImaginesFromAStateWithoutASession) {
  const std::string id = Ready(1, 5);
  Walk(id, {0.25f});
  const v1::StateRef blob = Exported(id);
  const auto expected = Positions(id);
  v1::RenderRequest render;
  *render.mutable_state() = blob;
  render.add_outputs(v1::RENDER_OUTPUT_GAUSSIANS);
  v1::RenderReply image;
  ASSERT_TRUE(Render(render, &image).ok());
  EXPECT_EQ(Floats(image.images().gaussians(0).means())[0], expected[0]);
  v1::ImagineRequest imagine;
  *imagine.mutable_state() = blob;
  *imagine.mutable_actions() = fakes::F32({1, 2, 2}, {0.1f, 0.1f, 0.2f, 0.2f});
  imagine.add_outputs("latent");
  imagine.set_return_final_state(true);
  imagine.set_branches(2);
  grpc::ClientContext context;
  const auto stream = simulator_->Imagine(&context, imagine);
  v1::ImagineChunk chunk;
  ASSERT_TRUE(stream->Read(&chunk));
  EXPECT_EQ(chunk.final_states_size(), 0);
  ASSERT_TRUE(stream->Read(&chunk));
  ASSERT_EQ(chunk.final_states_size(), 2);
  const std::string latent = chunk.observations().at("latent").data();
  EXPECT_TRUE(stream->Finish().ok());
  // Branch 0 is what stepping would have given, and its final state goes on from there.
  const std::string walked = Walk(id, {0.1f, 0.2f});
  EXPECT_EQ(latent.substr(0, latent.size() / 2), walked.substr(walked.size() / 2));
  const std::string next = Walk(id, {0.3f});
  ASSERT_TRUE(ResetTo(id, chunk.final_states(0)).ok());
  EXPECT_EQ(Walk(id, {0.3f}), next);
  ASSERT_TRUE(ResetTo(id, chunk.final_states(1)).ok());
  EXPECT_NE(Walk(id, {0.3f}), next);
  EXPECT_EQ(resident(), 1);
}

TEST_F(StateRpcTest, RefusesStatesThatItCannotTrustAndChangesNothing) {
  const std::string id = Ready();
  const auto before = Positions(id);
  const std::string blob = Exported(id).blob();
  v1::StateRef state;
  EXPECT_EQ(DetailsOf(ResetTo(id, state)).field, "state");
  for (const std::string& damaged : {blob.substr(0, blob.size() / 2), "x" + blob, std::string()}) {
    state.set_blob(damaged);
    const grpc::Status status = ResetTo(id, state);
    EXPECT_EQ(status.error_code(), grpc::DATA_LOSS) << status.error_message();
    EXPECT_EQ(DetailsOf(status).reason, "STATE_CORRUPT");
    EXPECT_EQ(DetailsOf(status).field, "state.blob");
  }
  state.set_state_id(id + "/17");
  EXPECT_EQ(DetailsOf(ResetTo(id, state)).reason, "UNKNOWN");
  state.set_state_id("nonsense");
  EXPECT_EQ(DetailsOf(ResetTo(id, state)).reason, "UNKNOWN");
  EXPECT_EQ(Positions(id), before);
  EXPECT_EQ(resident(), 1);
  v1::RenderRequest render;
  render.set_session_id(id);
  render.mutable_state()->set_blob(blob);
  v1::RenderReply image;
  EXPECT_EQ(DetailsOf(Render(render, &image)).field, "state");
}

TEST_F(StateRpcTest, RefusesBlobsAboveTheLimitThatGetLimitsShows) {
  options_.limits.max_state_blob_bytes = 100;
  StartServer();
  v1::Limits limits;
  ASSERT_TRUE(Call(*info_, &v1::Server::Stub::GetLimits, v1::GetLimitsRequest(), &limits).ok());
  EXPECT_EQ(limits.max_state_blob_bytes(), 100u);
  const std::string id = Ready();
  const grpc::Status status = ResetTo(id, Exported(id));
  EXPECT_EQ(status.error_code(), grpc::OUT_OF_RANGE);
  EXPECT_EQ(DetailsOf(status).reason, "LIMIT");
}

}  // namespace
}  // namespace gwm::server
