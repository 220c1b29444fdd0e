// A PolicyClient at a small policy of the test's own.
#include "gwm/policy_client.h"

#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <memory>
#include <string>
#include <vector>

#include "gwm/v1/policy.grpc.pb.h"
#include "tests/clients/cpp/client_fixture.h"

namespace gwm::client {
namespace {

// Every action of the chunk is the newest feature of its row plus the seed; H = 2, A = 1.
class EchoPolicy final : public v1::Policy::Service {
 public:
  EchoPolicy() {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
  }
  ~EchoPolicy() override { server_->Shutdown(std::chrono::system_clock::now()); }
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

  grpc::Status Act(grpc::ServerContext*, const v1::ActRequest* request,
                   v1::ActReply* reply) override {
    act_request = *request;
    if (lost_replies-- > 0) return {grpc::StatusCode::UNAVAILABLE, "connection reset"};
    if (!refusal.ok()) return refusal;
    const v1::Tensor& features = request->observations().at("features");
    const int64_t n = features.shape(0);
    const int64_t steps = features.shape(1);
    const auto* values = reinterpret_cast<const float*>(features.data().data());
    std::vector<float> actions;
    for (int64_t row = 0; row < n; ++row) {
      const float newest = values[(row + 1) * steps - 1] + static_cast<float>(request->seed());
      actions.insert(actions.end(), {newest, newest});
      reply->add_row_status();
    }
    *reply->mutable_actions() = FloatTensor({n, 2, 1}, actions);
    if (spoil_shape) reply->mutable_actions()->set_shape(0, n + 1);
    if (flat_actions) *reply->mutable_actions() = FloatTensor({1}, {0});
    reply->set_policy_digest("d1");
    reply->mutable_timing()->mutable_dynamics()->set_nanos(2'000'000);
    reply->mutable_timing()->mutable_encode()->set_nanos(500'000);
    return grpc::Status::OK;
  }
  grpc::Status GetPolicy(grpc::ServerContext*, const v1::GetPolicyRequest* request,
                         v1::GetPolicyReply* reply) override {
    get_request = *request;
    *reply = info;
    return grpc::Status::OK;
  }

  v1::GetPolicyReply info;
  v1::GetPolicyRequest get_request;
  v1::ActRequest act_request;
  grpc::Status refusal;
  int lost_replies = 0;
  bool spoil_shape = false;
  bool flat_actions = false;

 private:
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

class PolicyClientTest : public ::testing::Test {
 protected:
  PolicyClientTest()
      : client_(policy_.address(),
                {.timeout = milliseconds(20'000),
                 .retry = {.sleep = [this](milliseconds wait) { waits_.push_back(wait); }}}) {}

  // Two environments, two steps of history, one feature.
  static ActRequest TwoRows() {
    const std::vector<float> features{1, 2, 3, 4};
    return {.observations = {{"features", Tensor::From<float>({2, 2, 1}, features)}},
            .feature_model_digest = "m1"};
  }

  EchoPolicy policy_;
  std::vector<milliseconds> waits_;
  PolicyClient client_;
};

TEST_F(PolicyClientTest, ReadsWhatThePolicyTakesAndGives) {
  v1::PolicySpec& spec = *policy_.info.mutable_policy();
  spec.set_policy_id("push");
  spec.set_kind("diffusion");
  auto* observation = spec.add_observations();
  observation->set_name("features");
  observation->set_dtype(v1::DTYPE_F32);
  observation->add_shape(8);
  observation->add_shape(64);
  spec.mutable_features()->set_checkpoint_digest("m1");
  spec.mutable_features()->set_pooling(v1::FEATURE_POOLING_ATTENTION);
  spec.set_history(2);
  spec.set_horizon(16);
  spec.set_execute_steps(8);
  *spec.mutable_action_low() = FloatTensor({2}, {-1, -2});
  *spec.mutable_action_high() = FloatTensor({2}, {1, 2});
  spec.set_determinism(v1::DETERMINISM_BATCH_INVARIANT);
  policy_.info.set_max_rows(64);

  const PolicyInfo info = client_.GetPolicy({.policy_id = "push"});
  EXPECT_EQ(policy_.get_request.policy_id(), "push");
  EXPECT_EQ(info.max_rows, 64U);
  EXPECT_EQ(info.policy.kind, "diffusion");
  ASSERT_EQ(info.policy.observations.size(), 1U);
  EXPECT_THAT(info.policy.observations[0].shape, ElementsAre(8, 64));
  ASSERT_TRUE(info.policy.features.has_value());
  EXPECT_EQ(info.policy.features->checkpoint_digest, "m1");
  EXPECT_EQ(info.policy.features->pooling, FeaturePooling::kAttention);
  EXPECT_EQ(info.policy.history, 2U);
  EXPECT_EQ(info.policy.horizon, 16U);
  EXPECT_EQ(info.policy.execute_steps, 8U);
  EXPECT_THAT(info.policy.action_low, ElementsAre(-1, -2));
  EXPECT_THAT(info.policy.action_high, ElementsAre(1, 2));
  EXPECT_TRUE(info.policy.batch_invariant);
  EXPECT_FALSE(info.policy.noise.has_value());
}

TEST_F(PolicyClientTest, GivesEachRowItsChunkAndTellsWhereTheTimeWent) {
  const ActResult result = client_.Act(TwoRows());
  EXPECT_THAT(result.actions.shape, ElementsAre(2, 2, 1));
  EXPECT_THAT(result.actions.values<float>(), ElementsAre(2, 2, 4, 4));
  EXPECT_EQ(result.policy_digest, "d1");
  ASSERT_EQ(result.row_status.size(), 2U);
  EXPECT_EQ(result.row_status[1].code, Code::kOk);
  EXPECT_DOUBLE_EQ(result.timing.dynamics_ms, 2);
  EXPECT_DOUBLE_EQ(result.timing.encode_ms, 0.5);
}

TEST_F(PolicyClientTest, SendsEveryFieldOfTheRequest) {
  ActRequest request = TwoRows();
  request.policy.policy_digest = "d1";
  request.history_steps = {1, 2};
  request.seed = 10;
  request.rows = {{.env_id = 3, .episode = 1, .step_index = 8}, {.env_id = 4}};
  request.noise = Zeros({2, 2, 1});
  request.selection = ActionSelection::kBest;
  EXPECT_THAT(client_.Act(request).actions.values<float>(), ElementsAre(12, 12, 14, 14));
  const v1::ActRequest& sent = policy_.act_request;
  EXPECT_EQ(sent.policy_digest(), "d1");
  EXPECT_EQ(sent.feature_model_digest(), "m1");
  EXPECT_THAT(sent.history_steps(), ElementsAre(1, 2));
  ASSERT_EQ(sent.rows_size(), 2);
  EXPECT_EQ(sent.rows(0).env_id(), 3U);
  EXPECT_EQ(sent.rows(0).episode(), 1U);
  EXPECT_EQ(sent.rows(0).step_index(), 8U);
  EXPECT_EQ(sent.noise().shape_size(), 3);
  EXPECT_EQ(sent.selection(), v1::ACTION_SELECTION_BEST);
  EXPECT_FALSE(sent.has_frames());
}

TEST_F(PolicyClientTest, LeavesOutWhatWasNotGiven) {
  client_.Act(TwoRows());
  EXPECT_FALSE(policy_.act_request.has_seed());
  EXPECT_FALSE(policy_.act_request.has_noise());
  EXPECT_EQ(policy_.act_request.rows_size(), 0);
  EXPECT_EQ(policy_.act_request.selection(), v1::ACTION_SELECTION_UNSPECIFIED);
}

TEST_F(PolicyClientTest, AsksAgainWhenTheReplyGotLost) {
  policy_.lost_replies = 2;
  EXPECT_THAT(client_.Act(TwoRows()).actions.values<float>(), ElementsAre(2, 2, 4, 4));
  EXPECT_EQ(waits_.size(), 2U);
}

TEST_F(PolicyClientTest, ThrowsWhatThePolicyRefuses) {
  policy_.refusal = {grpc::StatusCode::FAILED_PRECONDITION, "features of m2; trained on m1"};
  const auto error = ErrorOf([&] { client_.Act(TwoRows()); });
  ASSERT_TRUE(error.has_value());
  EXPECT_EQ(error->code(), Code::kFailedPrecondition);
  EXPECT_THAT(error->message(), HasSubstr("trained on m1"));
}

TEST_F(PolicyClientTest, RefusesActionsThatAreNotAChunkForEachRow) {
  policy_.spoil_shape = true;
  const auto short_data = ErrorOf([&] { client_.Act(TwoRows()); });
  ASSERT_TRUE(short_data.has_value());
  EXPECT_EQ(short_data->reason(), "BAD_REPLY");
  policy_.spoil_shape = false;
  policy_.flat_actions = true;
  const auto flat = ErrorOf([&] { client_.Act(TwoRows()); });
  ASSERT_TRUE(flat.has_value());
  EXPECT_EQ(flat->field(), "actions");
}

}  // namespace
}  // namespace gwm::client
