// How far a state can be trusted, and episodes that end where it cannot.
#include <gmock/gmock.h>

#include <cmath>
#include <limits>

#include "tests/server/rpc/server_fixture.h"

namespace gwm::server {
namespace {

using fakes::Bools;
using fakes::DetailsOf;
using fakes::F32;
using fakes::Floats;
using fakes::Shape;
using ::testing::ElementsAre;
using ::testing::FloatEq;

// The fake world's error to expect is |x0| / 10; entry i of its pool starts at x0 = i.
class TrustRpcTest : public ServerTest {
 protected:
  // Two environments that start at x0 = 1 and x0 = 3.
  std::string Started(const v1::CreateSessionRequest& settings) {
    v1::CreateSessionRequest create = settings;
    create.set_num_envs(2);
    v1::ResetRequest reset;
    reset.set_session_id(Create(create).session_id());
    reset.add_pool_indices(1);
    reset.add_pool_indices(3);
    v1::ResetReply reply;
    EXPECT_TRUE(Reset(reset, &reply).ok());
    return reset.session_id();
  }
  static v1::CreateSessionRequest Bounded(float max_expected_error) {
    v1::CreateSessionRequest create;
    create.set_max_expected_error(max_expected_error);
    return create;
  }
  v1::StepReply Stepped(const v1::StepRequest& request) {
    v1::StepReply reply;
    const grpc::Status status = Step(request, &reply);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return reply;
  }
  v1::SimulatorSpec Spec() {
    v1::SimulatorSpec spec;
    EXPECT_TRUE(Call(*simulator_, &v1::Simulator::Stub::GetSpec, {}, &spec).ok());
    return spec;
  }
};

TEST_F(TrustRpcTest, EveryStepTellsTheErrorToExpect) {
  EXPECT_TRUE(Spec().tells_expected_error());
  const std::string id = Started({});
  const v1::StepReply reply = Stepped(StepOf(id, {0.5f, -0.5f}));
  EXPECT_THAT(Floats(reply.expected_error()), ElementsAre(FloatEq(0.15f), FloatEq(0.25f)));
  EXPECT_THAT(reply.truncation_reason(),
              ElementsAre(v1::TRUNCATION_REASON_UNSPECIFIED, v1::TRUNCATION_REASON_UNSPECIFIED));
}

TEST_F(TrustRpcTest, ARowThatFailedTellsNoError) {
  const std::string id = Started(Bounded(0.05f));
  const v1::StepReply reply = Stepped(StepOf(id, {fakes::kPoisonAction, 0.5f}));
  EXPECT_THAT(Floats(reply.expected_error()), ElementsAre(0.0f, FloatEq(0.35f)));
  EXPECT_THAT(reply.truncation_reason(),
              ElementsAre(v1::TRUNCATION_REASON_UNSPECIFIED, v1::TRUNCATION_REASON_MODEL_HORIZON));
}

TEST_F(TrustRpcTest, AModelWithoutAnErrorHeadLeavesItOut) {
  controls_->error_head = false;
  StartServer();
  EXPECT_FALSE(Spec().tells_expected_error());
  EXPECT_FALSE(Stepped(StepOf(Started({}), {0.5f, 0.5f})).has_expected_error());
  v1::Session session;
  const grpc::Status refused = TryCreate(Bounded(0.5f), &session);
  EXPECT_EQ(refused.error_code(), grpc::UNIMPLEMENTED);
  EXPECT_EQ(DetailsOf(refused).reason, "UNSUPPORTED");
}

TEST_F(TrustRpcTest, AStepBeyondTheSessionsBoundTruncatesTheEpisode) {
  const std::string id = Started(Bounded(0.35f));
  v1::Session session;
  ASSERT_TRUE(Get(id, &session).ok());
  EXPECT_FLOAT_EQ(session.max_expected_error(), 0.35f);
  const v1::StepReply reply = Stepped(StepOf(id, {0.75f, 0.75f}));
  EXPECT_THAT(Bools(reply.truncated()), ElementsAre(false, true));
  EXPECT_THAT(Bools(reply.terminated()), ElementsAre(false, false));
  EXPECT_THAT(reply.truncation_reason(),
              ElementsAre(v1::TRUNCATION_REASON_UNSPECIFIED, v1::TRUNCATION_REASON_MODEL_HORIZON));
  v1::StepReply next;
  EXPECT_EQ(DetailsOf(Step(StepOf(id, {0.1f, 0.1f}), &next)).reason, "NEEDS_RESET");
}

TEST_F(TrustRpcTest, TheLimitOfStepsIsNamedWhereBothHold) {
  v1::CreateSessionRequest create = Bounded(0.35f);
  create.set_max_episode_steps(1);
  const v1::StepReply reply = Stepped(StepOf(Started(create), {0.75f, 0.75f}));
  EXPECT_THAT(reply.truncation_reason(), ElementsAre(v1::TRUNCATION_REASON_MAX_EPISODE_STEPS,
                                                     v1::TRUNCATION_REASON_MAX_EPISODE_STEPS));
}

TEST_F(TrustRpcTest, TheNextEpisodeBeginsByItselfAsAfterAnyTruncation) {
  v1::CreateSessionRequest create = Bounded(0.35f);
  create.set_auto_reset(v1::AUTO_RESET_SAME_STEP);
  const v1::StepReply same = Stepped(StepOf(Started(create), {0.75f, 0.75f}));
  EXPECT_THAT(Bools(same.truncated()), ElementsAre(false, true));
  EXPECT_THAT(Bools(same.reset()), ElementsAre(false, true));
  EXPECT_THAT(Floats(same.expected_error()), ElementsAre(FloatEq(0.175f), FloatEq(0.375f)));
  create.set_auto_reset(v1::AUTO_RESET_NEXT_STEP);
  const std::string id = Started(create);
  EXPECT_THAT(Bools(Stepped(StepOf(id, {0.75f, 0.75f})).reset()), ElementsAre(false, false));
  const v1::StepReply next = Stepped(StepOf(id, {0.75f, 0.75f}));
  EXPECT_THAT(Bools(next.reset()), ElementsAre(false, true));
  EXPECT_THAT(Floats(next.expected_error()), ElementsAre(FloatEq(0.25f), 0.0f));
}

TEST_F(TrustRpcTest, ImaginedStepsTellItAndABranchThatIsDoneKeepsItsLast) {
  v1::ImagineRequest request;
  request.set_session_id(Started({}));
  request.set_stride(2);
  *request.mutable_actions() = F32({2, 2, 2}, {0.5f, 0, 0.5f, 0, 0.5f, 0, fakes::kPoisonAction, 0});
  grpc::ClientContext context;
  const auto reader = simulator_->Imagine(&context, request);
  v1::ImagineChunk chunk;
  ASSERT_TRUE(reader->Read(&chunk));
  EXPECT_EQ(Shape(chunk.expected_error()), (std::vector<int64_t>{2, 2}));
  EXPECT_THAT(Floats(chunk.expected_error()),
              ElementsAre(FloatEq(0.15f), FloatEq(0.2f), FloatEq(0.15f), FloatEq(0.15f)));
  EXPECT_FALSE(reader->Read(&chunk));
  EXPECT_TRUE(reader->Finish().ok());
}

TEST_F(TrustRpcTest, APlanTellsItForTheStepsOfTheBestSequence) {
  v1::PlanRequest request;
  request.set_session_id(Started({}));
  *request.mutable_actions() = F32({2, 2, 2}, {-0.5f, 0, -0.5f, 0, 0.5f, 0, 0.5f, 0});
  v1::PlanReply reply;
  ASSERT_TRUE(Call(*simulator_, &v1::Simulator::Stub::Plan, request, &reply).ok());
  EXPECT_EQ(reply.best(), 1u);
  EXPECT_THAT(Floats(reply.expected_error()), ElementsAre(FloatEq(0.15f), FloatEq(0.2f)));
}

TEST_F(TrustRpcTest, RefusesABoundThatIsNoBound) {
  for (float bound : {-0.1f, std::nanf(""), std::numeric_limits<float>::infinity()}) {
    v1::Session session;
    const grpc::Status refused = TryCreate(Bounded(bound), &session);
    EXPECT_EQ(refused.error_code(), grpc::INVALID_ARGUMENT) << bound;
    EXPECT_EQ(DetailsOf(refused).field, "max_expected_error") << bound;
  }
}

}  // namespace
}  // namespace gwm::server
