// Plan: the best of several action sequences.
#include <gmock/gmock.h>

#include <cmath>

#include "tests/server/rpc/server_fixture.h"

namespace gwm::server {
namespace {

using fakes::Bools;
using fakes::DetailsOf;
using fakes::F32;
using fakes::Floats;
using fakes::Shape;
using ::testing::ElementsAre;

class PlanRpcTest : public ServerTest {
 protected:
  // Sequence k holds actions[k] at each of its two steps; the reward of a step is twice the action.
  static v1::PlanRequest Request(const std::string& id, const std::vector<float>& actions) {
    v1::PlanRequest request;
    request.set_session_id(id);
    std::vector<float> values;
    for (float action : actions) values.insert(values.end(), 4, action);
    *request.mutable_actions() = F32({static_cast<int64_t>(actions.size()), 2, 2}, values);
    return request;
  }
  grpc::Status Plan(const v1::PlanRequest& request, v1::PlanReply* reply) {
    return Call(*simulator_, &v1::Simulator::Stub::Plan, request, reply);
  }
};

TEST_F(PlanRpcTest, FindsTheBestSequenceAndLeavesTheSessionAlone) {
  const std::string id = Ready(2);
  const auto before = Positions(id);
  v1::PlanRequest request = Request(id, {0.25f, 0.75f, 0.5f});
  request.set_env_id(1);
  request.set_discount(0.5);
  v1::PlanReply reply;
  const grpc::Status status = Plan(request, &reply);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_THAT(Floats(reply.returns()), ElementsAre(0.75f, 2.25f, 1.5f));
  EXPECT_EQ(reply.best(), 1u);
  EXPECT_EQ(Shape(reply.best_actions()), (std::vector<int64_t>{2, 2}));
  EXPECT_THAT(Floats(reply.best_actions()), ElementsAre(0.75f, 0.75f, 0.75f, 0.75f));
  EXPECT_THAT(Bools(reply.success()), ElementsAre(false, true, true));
  EXPECT_EQ(reply.row_status_size(), 3);
  EXPECT_EQ(Positions(id), before);
  EXPECT_EQ(controls_->live_states, 2);
}

TEST_F(PlanRpcTest, AStateByItselfIsPlannedFromAsItsEnvironmentIs) {
  const std::string id = Ready();
  v1::PlanReply expected, reply;
  ASSERT_TRUE(Plan(Request(id, {0.25f, 0.5f}), &expected).ok());
  v1::ExportStateRequest request;
  request.set_session_id(id);
  v1::ExportStateReply exported;
  ASSERT_TRUE(Call(*simulator_, &v1::Simulator::Stub::ExportState, request, &exported).ok());
  v1::PlanRequest plan = Request("", {0.25f, 0.5f});
  *plan.mutable_state() = exported.state();
  const grpc::Status status = Plan(plan, &reply);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(Floats(reply.returns()), Floats(expected.returns()));
  EXPECT_EQ(reply.best(), 1u);
  EXPECT_EQ(controls_->live_states, 1);
  plan.set_session_id(id);
  EXPECT_EQ(DetailsOf(Plan(plan, &reply)).field, "state");
}

TEST_F(PlanRpcTest, ASequenceThatFailsIsNeverTheBest) {
  const std::string id = Ready();
  v1::PlanReply reply;
  ASSERT_TRUE(Plan(Request(id, {fakes::kPoisonAction, -0.5f}), &reply).ok());
  EXPECT_TRUE(std::isinf(Floats(reply.returns())[0]));
  EXPECT_EQ(reply.best(), 1u);
  EXPECT_EQ(reply.row_status(0).reason(), "NON_FINITE");
  const grpc::Status lost = Plan(Request(id, {fakes::kPoisonAction}), &reply);
  EXPECT_EQ(lost.error_code(), grpc::DATA_LOSS);
}

TEST_F(PlanRpcTest, RefusesBadRequestsWithTheFieldsName) {
  const std::string id = Ready();
  v1::PlanReply reply;
  v1::PlanRequest request = Request(id, {0.5f});
  request.set_discount(1.5);
  EXPECT_EQ(DetailsOf(Plan(request, &reply)).field, "discount");
  request.set_discount(-std::nan(""));
  EXPECT_EQ(DetailsOf(Plan(request, &reply)).field, "discount");
  request = Request(id, std::vector<float>(65, 0.5f));
  EXPECT_EQ(DetailsOf(Plan(request, &reply)).reason, "LIMIT");
  request = Request(id, {0.5f});
  request.set_env_id(7);
  EXPECT_EQ(DetailsOf(Plan(request, &reply)).field, "env_id");
  EXPECT_EQ(DetailsOf(Plan(Request(Create().session_id(), {0.5f}), &reply)).reason, "NEEDS_RESET");
}

}  // namespace
}  // namespace gwm::server
