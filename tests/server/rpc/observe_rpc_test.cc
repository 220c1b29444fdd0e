// Observe: real frames beside imagined states.
#include <gmock/gmock.h>

#include "tests/server/rpc/server_fixture.h"

namespace gwm::server {
namespace {

using fakes::DetailsOf;
using fakes::Floats;
using fakes::TestFrames;
using ::testing::ElementsAre;
using ::testing::FloatEq;
using ::testing::FloatNear;

// In the fake world a frame of full brightness shows the point (1, 0); the error of the latents is
// the squared distance of the points, that of the image a hundredth of it.
class ObserveRpcTest : public ServerTest {
 protected:
  static constexpr char kBright = static_cast<char>(255);

  // `num_envs` environments at (1, 0).
  std::string Started(uint32_t num_envs = 1) {
    v1::CreateSessionRequest create;
    create.set_num_envs(num_envs);
    v1::ResetRequest reset;
    reset.set_session_id(Create(create).session_id());
    *reset.mutable_frames() = TestFrames(1, 1, kBright);
    v1::ResetReply reply;
    EXPECT_TRUE(Reset(reset, &reply).ok());
    return reset.session_id();
  }
  static v1::ObserveRequest Request(const std::string& id, int64_t worlds = 1) {
    v1::ObserveRequest request;
    request.set_session_id(id);
    *request.mutable_frames() = TestFrames(worlds, 1, kBright);
    return request;
  }
  grpc::Status Observe(const v1::ObserveRequest& request, v1::ObserveReply* reply) {
    return Call(*simulator_, &v1::Simulator::Stub::Observe, request, reply);
  }
  void StepBy(const std::string& id, const std::vector<float>& actions) {
    v1::StepReply reply;
    const grpc::Status status = Step(StepOf(id, actions), &reply);
    EXPECT_TRUE(status.ok()) << status.error_message();
  }
};

TEST_F(ObserveRpcTest, TellsHowFarEachImaginedStateWasAndChangesNothing) {
  const std::string id = Started(2);
  StepBy(id, {0.5f, 0.0f});
  const auto before = Positions(id);
  v1::ObserveReply reply;
  const grpc::Status status = Observe(Request(id, 2), &reply);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_THAT(Floats(reply.latent_error()), ElementsAre(FloatEq(0.5f), FloatEq(0.0f)));
  // -10 log10(0.005); images without an error get the most there is.
  EXPECT_THAT(Floats(reply.psnr_db()), ElementsAre(FloatNear(23.0103f, 1e-3f), FloatEq(100)));
  EXPECT_THAT(reply.episode(), ElementsAre(0, 0));
  EXPECT_THAT(reply.step_index(), ElementsAre(1, 1));
  EXPECT_TRUE(reply.observations().empty());
  EXPECT_EQ(Positions(id), before);
  EXPECT_EQ(controls_->live_states, 2);
}

TEST_F(ObserveRpcTest, ReAnchoringGoesOnFromTheRealFrameWithinTheEpisode) {
  const std::string id = Started(2);
  StepBy(id, {0.5f, 0.5f});
  v1::ObserveRequest request = Request(id);
  request.add_env_ids(1);
  request.set_re_anchor(true);
  request.add_observations("latent");
  v1::ObserveReply reply;
  ASSERT_TRUE(Observe(request, &reply).ok());
  EXPECT_THAT(Floats(reply.latent_error()), ElementsAre(FloatEq(0.5f)));
  EXPECT_EQ(Floats(reply.observations().at("latent"))[0], 1.0f);
  EXPECT_THAT(Positions(id), ElementsAre(1.5f, 0.5f, 1.0f, 0.0f));
  v1::Session session;
  ASSERT_TRUE(Get(id, &session).ok());
  EXPECT_EQ(session.envs(1).step_index(), 1u);
  EXPECT_EQ(session.envs(1).episode(), 0u);
  EXPECT_EQ(controls_->live_states, 2);
}

TEST_F(ObserveRpcTest, TheModelCountsTheAgeOfAStateFromTheLastRealFrame) {
  const std::string id = Started();
  StepBy(id, {0.1f});
  StepBy(id, {0.1f});
  EXPECT_EQ(controls_->last_age, 1u);
  v1::ObserveRequest request = Request(id);
  request.set_re_anchor(true);
  v1::ObserveReply reply;
  ASSERT_TRUE(Observe(request, &reply).ok());
  StepBy(id, {0.1f});
  EXPECT_EQ(controls_->last_age, 0u);
  // An exported state knows it too.
  v1::ExportStateRequest out;
  out.set_session_id(id);
  v1::ExportStateReply exported;
  ASSERT_TRUE(Call(*simulator_, &v1::Simulator::Stub::ExportState, out, &exported).ok());
  v1::ResetRequest reset;
  reset.set_session_id(id);
  *reset.mutable_state() = exported.state();
  v1::ResetReply begun;
  ASSERT_TRUE(Reset(reset, &begun).ok());
  StepBy(id, {0.1f});
  EXPECT_EQ(controls_->last_age, 1u);
  // A Reset starts anew.
  v1::ResetRequest fresh;
  fresh.set_session_id(id);
  ASSERT_TRUE(Reset(fresh, &begun).ok());
  StepBy(id, {0.1f});
  EXPECT_EQ(controls_->last_age, 0u);
}

TEST_F(ObserveRpcTest, ARepeatedCallIsAnsweredFromMemory) {
  const std::string id = Started();
  StepBy(id, {0.5f});
  v1::ObserveRequest request = Request(id);
  request.set_re_anchor(true);
  request.mutable_context()->set_request_id("once");
  v1::ObserveReply first, again;
  ASSERT_TRUE(Observe(request, &first).ok());
  ASSERT_TRUE(Observe(request, &again).ok());
  EXPECT_FALSE(first.replayed());
  EXPECT_TRUE(again.replayed());
  EXPECT_EQ(again.latent_error().data(), first.latent_error().data());
}

TEST_F(ObserveRpcTest, RefusesBadRequestsWithTheFieldsName) {
  const std::string id = Started(2);
  v1::ObserveReply reply;
  grpc::Status status = Observe(Request(id, 1), &reply);
  EXPECT_EQ(DetailsOf(status).reason, "BAD_TENSOR");
  EXPECT_EQ(DetailsOf(status).field, "frames.rgb");
  v1::ObserveRequest request = Request(id, 2);
  request.clear_frames();
  EXPECT_EQ(DetailsOf(Observe(request, &reply)).field, "frames.rgb");
  request = Request(id, 2);
  request.add_observations("colour");
  EXPECT_EQ(DetailsOf(Observe(request, &reply)).field, "observations[0]");
  status = Observe(Request(Create().session_id()), &reply);
  EXPECT_EQ(DetailsOf(status).reason, "NEEDS_RESET");
}

TEST_F(ObserveRpcTest, AnEpisodeThatEndedCanBeComparedButNotGoneOnWith) {
  v1::CreateSessionRequest create;
  create.set_max_episode_steps(1);
  const std::string id = Create(create).session_id();
  v1::ResetRequest reset;
  reset.set_session_id(id);
  v1::ResetReply begun;
  ASSERT_TRUE(Reset(reset, &begun).ok());
  StepBy(id, {0.5f});
  v1::ObserveReply reply;
  EXPECT_TRUE(Observe(Request(id), &reply).ok());
  v1::ObserveRequest request = Request(id);
  request.set_re_anchor(true);
  EXPECT_EQ(DetailsOf(Observe(request, &reply)).reason, "NEEDS_RESET");
}

}  // namespace
}  // namespace gwm::server
