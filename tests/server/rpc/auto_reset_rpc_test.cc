// Episodes that begin by themselves.
#include <gmock/gmock.h>

#include "tests/server/rpc/server_fixture.h"

namespace gwm::server {
namespace {

using fakes::Bools;
using fakes::DetailsOf;
using fakes::Floats;
using fakes::Shape;
using ::testing::ElementsAre;

class AutoResetRpcTest : public ServerTest {
 protected:
  // A session of `num_envs` environments that were reset; episodes have two steps.
  std::string Started(v1::AutoReset mode, uint32_t num_envs) {
    v1::CreateSessionRequest create;
    create.set_num_envs(num_envs);
    create.set_seed(5);
    create.set_auto_reset(mode);
    create.set_max_episode_steps(2);
    create.add_observations("latent");
    const v1::Session session = Create(create);
    EXPECT_EQ(session.auto_reset(), mode);
    v1::ResetRequest reset;
    reset.set_session_id(session.session_id());
    v1::ResetReply reply;
    EXPECT_TRUE(Reset(reset, &reply).ok());
    return session.session_id();
  }
  v1::StepReply Stepped(const v1::StepRequest& request) {
    v1::StepReply reply;
    const grpc::Status status = Step(request, &reply);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return reply;
  }
  // What a Reset by hand gives as the second episode of the same seed.
  std::string SecondStart(uint32_t num_envs) {
    const std::string id = Started(v1::AUTO_RESET_NONE, num_envs);
    v1::ResetRequest reset;
    reset.set_session_id(id);
    v1::ResetReply reply;
    EXPECT_TRUE(Reset(reset, &reply).ok());
    return reply.observations().at("latent").data();
  }
};

TEST_F(AutoResetRpcTest, TheNextStepIgnoresItsActionAndBeginsTheNextEpisode) {
  const std::string id = Started(v1::AUTO_RESET_NEXT_STEP, 2);
  v1::StepRequest one = StepOf(id, {0.1f});
  one.add_env_ids(1);
  Stepped(one);
  const v1::StepReply end = Stepped(StepOf(id, {0.2f, 0.2f}));
  EXPECT_THAT(Bools(end.truncated()), ElementsAre(false, true));
  EXPECT_THAT(Bools(end.reset()), ElementsAre(false, false));
  EXPECT_EQ(end.pool_indices_size(), 0);
  const auto batches = controls_->Batches();
  const v1::StepReply next = Stepped(StepOf(id, {0.3f, 0.3f}));
  EXPECT_THAT(Floats(next.reward()), ElementsAre(0.6f, 0.0f));
  EXPECT_THAT(Bools(next.terminated()), ElementsAre(false, false));
  EXPECT_THAT(Bools(next.truncated()), ElementsAre(true, false));
  EXPECT_THAT(Bools(next.reset()), ElementsAre(false, true));
  EXPECT_THAT(next.step_index(), ElementsAre(2, 0));
  EXPECT_THAT(next.episode(), ElementsAre(0, 1));
  EXPECT_EQ(next.pool_indices_size(), 2);
  EXPECT_FALSE(next.has_final());
  EXPECT_EQ(controls_->Batches().size(), batches.size() + 2);  // the calls of one step
  EXPECT_EQ(controls_->Batches().back(), 1);
  const std::string start = SecondStart(2), seen = next.observations().at("latent").data();
  EXPECT_EQ(seen.substr(seen.size() / 2), start.substr(start.size() / 2));
}

TEST_F(AutoResetRpcTest, AStepThatOnlyResetsAsksTheWorldForNoStep) {
  const std::string id = Started(v1::AUTO_RESET_NEXT_STEP, 1);
  Stepped(StepOf(id, {0.1f}));
  Stepped(StepOf(id, {0.1f}));
  const auto batches = controls_->Batches();
  const v1::StepReply reply = Stepped(StepOf(id, {0.1f}));
  EXPECT_THAT(Bools(reply.reset()), ElementsAre(true));
  EXPECT_EQ(controls_->Batches(), batches);
  EXPECT_EQ(reply.observations().at("latent").data(), SecondStart(1));
}

TEST_F(AutoResetRpcTest, TheSameStepEndsAnEpisodeAndBeginsTheNext) {
  const std::string plain = Started(v1::AUTO_RESET_NONE, 2);
  const std::string id = Started(v1::AUTO_RESET_SAME_STEP, 2);
  for (const std::string& session : {plain, id}) {
    v1::StepRequest one = StepOf(session, {0.1f});
    one.add_env_ids(1);
    Stepped(one);
  }
  const v1::StepReply by_hand = Stepped(StepOf(plain, {0.2f, 0.2f}));
  const v1::StepReply reply = Stepped(StepOf(id, {0.2f, 0.2f}));
  EXPECT_THAT(Floats(reply.reward()), ElementsAre(0.4f, 0.4f));
  EXPECT_THAT(Bools(reply.truncated()), ElementsAre(false, true));
  EXPECT_THAT(Bools(reply.reset()), ElementsAre(false, true));
  EXPECT_THAT(reply.step_index(), ElementsAre(1, 0));
  EXPECT_THAT(reply.episode(), ElementsAre(0, 1));
  EXPECT_THAT(reply.final().rows(), ElementsAre(1));
  EXPECT_THAT(reply.final().step_index(), ElementsAre(2));
  const v1::Tensor& last = reply.final().observations().at("latent");
  EXPECT_EQ(Shape(last), (std::vector<int64_t>{1, 3, 4}));
  const std::string ended = by_hand.observations().at("latent").data();
  EXPECT_EQ(last.data(), ended.substr(ended.size() / 2));
  const std::string start = SecondStart(2), seen = reply.observations().at("latent").data();
  EXPECT_EQ(seen.substr(seen.size() / 2), start.substr(start.size() / 2));
  EXPECT_EQ(controls_->live_states, 6);  // three sessions of two
}

TEST_F(AutoResetRpcTest, ARowThatFailedBeginsAnewToo) {
  for (v1::AutoReset mode : {v1::AUTO_RESET_NEXT_STEP, v1::AUTO_RESET_SAME_STEP}) {
    const std::string id = Started(mode, 2);
    const v1::StepReply reply = Stepped(StepOf(id, {fakes::kPoisonAction, 0.1f}));
    EXPECT_EQ(reply.row_status(0).reason(), "NON_FINITE");
    EXPECT_EQ(Bools(reply.reset())[0], mode == v1::AUTO_RESET_SAME_STEP);
    const v1::StepReply next = Stepped(StepOf(id, {0.1f, 0.1f}));
    EXPECT_EQ(next.row_status(0).code(), 0);
    EXPECT_EQ(next.episode(0), 1u);
  }
}

TEST_F(AutoResetRpcTest, AnEnvironmentThatWasNeverResetStillNeedsOne) {
  v1::CreateSessionRequest create;
  create.set_auto_reset(v1::AUTO_RESET_NEXT_STEP);
  v1::StepReply reply;
  EXPECT_EQ(DetailsOf(Step(StepOf(Create(create).session_id(), {0.1f}), &reply)).reason,
            "NEEDS_RESET");
}

TEST_F(AutoResetRpcTest, AStepWithAResetIsRepeatedFromMemoryToo) {
  const std::string id = Started(v1::AUTO_RESET_SAME_STEP, 1);
  Stepped(StepOf(id, {0.1f}));
  v1::StepRequest request = StepOf(id, {0.1f});
  request.add_expected_step(1);
  request.mutable_context()->set_request_id("a");
  const v1::StepReply first = Stepped(request), again = Stepped(request);
  EXPECT_TRUE(again.replayed());
  EXPECT_EQ(again.final().observations().at("latent").data(),
            first.final().observations().at("latent").data());
  v1::Session session;
  ASSERT_TRUE(Get(id, &session).ok());
  EXPECT_EQ(session.envs(0).episode(), 1u);
}

TEST_F(AutoResetRpcTest, AMaskNamesTheEnvironmentsToReset) {
  const std::string id = Started(v1::AUTO_RESET_NONE, 3);
  v1::ResetRequest reset;
  reset.set_session_id(id);
  *reset.mutable_reset_mask() = fakes::Filled(v1::DTYPE_BOOL, {3}, 1, 0);
  v1::ResetReply reply;
  EXPECT_EQ(DetailsOf(Reset(reset, &reply)).field, "reset_mask");
  reset.mutable_reset_mask()->set_data(std::string("\1\0\1", 3));
  ASSERT_TRUE(Reset(reset, &reply).ok());
  EXPECT_THAT(reply.episode(), ElementsAre(1, 1));
  v1::Session session;
  ASSERT_TRUE(Get(id, &session).ok());
  EXPECT_EQ(session.envs(0).episode(), 1u);
  EXPECT_EQ(session.envs(1).episode(), 0u);
  reset.add_env_ids(1);
  EXPECT_EQ(DetailsOf(Reset(reset, &reply)).field, "reset_mask");
  reset.clear_env_ids();
  *reset.mutable_reset_mask() = fakes::Filled(v1::DTYPE_BOOL, {2}, 1, 1);
  EXPECT_EQ(DetailsOf(Reset(reset, &reply)).reason, "BAD_TENSOR");
}

}  // namespace
}  // namespace gwm::server
