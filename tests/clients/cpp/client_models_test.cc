// What a client learns of a server and its models, and what it asks of them.
#include "gwm/client.h"
#include "tests/clients/cpp/client_fixture.h"

namespace gwm::client {
namespace {

TEST_F(ClientTest, ReadsTheSpecFieldByField) {
  server_.spec.set_model_id("gwm-small");
  server_.spec.set_reset_pool_size(5);
  server_.spec.mutable_sampler()->set_max_calls(8);
  auto* action = server_.spec.add_actions();
  action->set_name("action");
  action->set_dtype(v1::DTYPE_F32);
  action->add_shape(4);
  action->set_min(-1);
  action->set_max(1);
  auto* camera = server_.spec.add_cameras();
  camera->mutable_intrinsics()->Resize(9, 3.0F);
  camera->mutable_world_from_cam()->Resize(16, 2.0F);
  camera->set_width(64);
  server_.spec.add_rpcs("Simulator.Step");
  const Spec spec = client_.GetSpec();
  EXPECT_EQ(spec.model_id, "gwm-small");
  EXPECT_EQ(spec.reset_pool_size, 5U);
  EXPECT_EQ(spec.max_sampler_calls, 8U);
  EXPECT_EQ(spec.action.dtype, DType::kF32);
  EXPECT_THAT(spec.action.shape, ElementsAre(4));
  EXPECT_EQ(spec.action.min, -1);
  ASSERT_EQ(spec.cameras.size(), 1U);
  EXPECT_EQ(spec.cameras[0].intrinsics[8], 3.0F);
  EXPECT_EQ(spec.cameras[0].world_from_cam[15], 2.0F);
  EXPECT_EQ(spec.cameras[0].width, 64U);
  EXPECT_THAT(spec.rpcs, ElementsAre("Simulator.Step"));
}

TEST_F(ClientTest, SwapsModels) {
  server_.model.set_model_id("gwm-small");
  server_.model.set_checkpoint_digest("3fa9");
  server_.model.set_state(v1::Model::STATE_DRAINING);
  server_.model.set_sessions(2);
  server_.model.mutable_load_time()->set_nanos(250'000'000);
  const Model loaded = client_.LoadModel("next", {.expected_digest = "3fa9", .set_default = true});
  EXPECT_EQ(loaded.model_id, "gwm-small");
  EXPECT_EQ(loaded.load_time, milliseconds(250));
  EXPECT_EQ(server_.load_request.checkpoint(), "next");
  EXPECT_EQ(server_.load_request.expected_digest(), "3fa9");
  EXPECT_TRUE(server_.load_request.set_default());
  EXPECT_EQ(client_.UnloadModel("0b1c", {.drain = true, .grace = milliseconds(1500)}).state,
            Model::State::kDraining);
  EXPECT_EQ(server_.unload_request.checkpoint_digest(), "0b1c");
  EXPECT_EQ(server_.unload_request.grace().nanos(), 500'000'000);
  client_.UnloadModel("0b1c");
  EXPECT_FALSE(server_.unload_request.has_grace());
  client_.SetDefaultModel({.checkpoint_digest = "0b1c"});
  EXPECT_EQ(server_.default_request.checkpoint_digest(), "0b1c");
  ASSERT_EQ(client_.ListModels().size(), 1U);
  EXPECT_EQ(client_.GetModel().sessions, 2U);
  server_.warm_up_reply.mutable_step()->set_nanos(1'500'000);
  EXPECT_EQ(client_.WarmUp({}, 4).step, std::chrono::microseconds(1500));
  EXPECT_EQ(server_.warm_up_request.rows(), 4U);
}

TEST_F(ClientTest, CallsNameTheModelThatTheyMean) {
  const ModelRef second{.model_id = "gwm-small", .checkpoint_digest = "3fa9"};
  client_.GetSpec(second);
  EXPECT_EQ(server_.spec_request.checkpoint_digest(), "3fa9");
  server_.session.set_checkpoint_digest("3fa9");
  const Session session = client_.CreateSession({.spillable = true, .model = second});
  EXPECT_EQ(server_.create_request.model_id(), "gwm-small");
  EXPECT_EQ(server_.create_request.checkpoint_digest(), "3fa9");
  EXPECT_TRUE(server_.create_request.spillable());
  EXPECT_EQ(session.model().checkpoint_digest, "3fa9");
}

TEST_F(ClientTest, ReadsServerInfoAndLimits) {
  server_.info.set_server_instance_id("i-1");
  server_.info.set_envs(3);
  server_.limits.set_max_envs_per_session(256);
  server_.limits.mutable_max_call_time()->set_seconds(120);
  EXPECT_EQ(client_.GetServerInfo().instance_id, "i-1");
  EXPECT_EQ(client_.GetServerInfo().envs, 3U);
  EXPECT_EQ(client_.GetLimits().max_envs_per_session, 256U);
  EXPECT_EQ(client_.GetLimits().max_call_time, milliseconds(120'000));
}

TEST_F(ClientTest, SaysWhetherTheServerServes) {
  EXPECT_TRUE(client_.IsServing());
  const auto error = ErrorOf([&] { client_.IsServing("no.such.Service"); });
  EXPECT_EQ(error->code(), Code::kNotFound);
}

}  // namespace
}  // namespace gwm::client
