// Step on vector sessions.
#include <gmock/gmock.h>

#include "tests/server/rpc/server_fixture.h"

namespace gwm::server {
namespace {

using fakes::Bools;
using fakes::DetailsOf;
using fakes::F32;
using fakes::Floats;
using fakes::Shape;
using ::testing::ElementsAre;
using StepRpcTest = ServerTest;

TEST_F(StepRpcTest, AddsActionsAndReportsEveryRow) {
  const std::string id = Ready(2, 7, {"latent"});
  const auto before = Positions(id);
  v1::StepReply reply;
  ASSERT_TRUE(Step(StepOf(id, {0.5f, -0.25f}), &reply).ok());
  EXPECT_THAT(Floats(reply.reward()), ElementsAre(1.0f, -0.5f));
  EXPECT_THAT(Bools(reply.terminated()), ElementsAre(false, false));
  EXPECT_THAT(Bools(reply.success()), ElementsAre(false, false));
  EXPECT_THAT(reply.step_index(), ElementsAre(1, 1));
  EXPECT_EQ(reply.row_status_size(), 2);
  EXPECT_EQ(reply.timing().sampler_calls(), 2u);
  EXPECT_EQ(reply.timing().batch_size(), 2u);
  ASSERT_EQ(Shape(reply.observations().at("latent")), (std::vector<int64_t>{2, 3, 4}));
  EXPECT_EQ(Floats(reply.observations().at("latent"))[0], before[0] + 0.5f);
  EXPECT_THAT(Positions(id), ElementsAre(before[0] + 0.5f, before[1] + 0.5f, before[2] - 0.25f,
                                         before[3] - 0.25f));
}

TEST_F(StepRpcTest, TheSamplerIsTheSessionsUnlessTheStepNamesAnother) {
  v1::CreateSessionRequest create;
  create.mutable_sampler()->set_calls(3);
  create.mutable_sampler()->set_kind(v1::SAMPLER_KIND_HEUN);
  const v1::Session session = Create(create);
  EXPECT_EQ(session.sampler().calls(), 3u);
  EXPECT_EQ(session.sampler().kind(), v1::SAMPLER_KIND_HEUN);
  EXPECT_EQ(Create().sampler().kind(), v1::SAMPLER_KIND_EULER);
  v1::ResetRequest reset;
  reset.set_session_id(session.session_id());
  v1::ResetReply begun;
  ASSERT_TRUE(Reset(reset, &begun).ok());
  const auto calls_of = [&](uint32_t calls, v1::SamplerKind kind) {
    v1::StepRequest request = StepOf(session.session_id(), {0.0f});
    request.set_sampler_calls(calls);
    request.set_sampler_kind(kind);
    v1::StepReply reply;
    EXPECT_TRUE(Step(request, &reply).ok());
    return reply.timing().sampler_calls();
  };
  // Two denoiser calls per noise level but the last.
  EXPECT_EQ(calls_of(0, v1::SAMPLER_KIND_UNSPECIFIED), 5u);
  EXPECT_EQ(calls_of(2, v1::SAMPLER_KIND_UNSPECIFIED), 3u);
  EXPECT_EQ(calls_of(0, v1::SAMPLER_KIND_EULER), 3u);
  EXPECT_EQ(calls_of(1, v1::SAMPLER_KIND_HEUN), 1u);
}

TEST_F(StepRpcTest, StepsTheNamedEnvironmentsAloneInTheirOrder) {
  const std::string id = Ready(3);
  const auto before = Positions(id);
  v1::StepRequest request = StepOf(id, {0.5f, 0.25f});
  request.add_env_ids(2);
  request.add_env_ids(0);
  v1::StepReply reply;
  ASSERT_TRUE(Step(request, &reply).ok());
  EXPECT_THAT(Floats(reply.reward()), ElementsAre(1.0f, 0.5f));
  const auto after = Positions(id);
  EXPECT_EQ(after[0], before[0] + 0.25f);
  EXPECT_EQ(after[2], before[2]);
  EXPECT_EQ(after[4], before[4] + 0.5f);
}

TEST_F(StepRpcTest, NeedsAResetFirst) {
  const std::string id = Create().session_id();
  v1::StepReply reply;
  const grpc::Status status = Step(StepOf(id, {0.5f}), &reply);
  EXPECT_EQ(status.error_code(), grpc::FAILED_PRECONDITION);
  EXPECT_EQ(DetailsOf(status).reason, "NEEDS_RESET");
  v1::RenderRequest render;
  render.set_session_id(id);
  v1::RenderReply image;
  EXPECT_EQ(DetailsOf(Render(render, &image)).reason, "NEEDS_RESET");
}

TEST_F(StepRpcTest, RejectsBadRequestsAndChangesNothing) {
  const std::string id = Ready(2);
  const auto before = Positions(id);
  struct Case {
    std::function<void(v1::StepRequest&)> spoil;
    grpc::StatusCode code;
    std::string reason, field;
  };
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<Case> cases = {
      {[](auto& r) { r.clear_actions(); }, grpc::INVALID_ARGUMENT, "BAD_TENSOR", "actions"},
      {[](auto& r) { r.mutable_actions()->set_dtype(v1::DTYPE_I32); }, grpc::INVALID_ARGUMENT,
       "BAD_TENSOR", "actions"},
      {[](auto& r) { r.mutable_actions()->set_shape(0, 3); }, grpc::INVALID_ARGUMENT, "BAD_TENSOR",
       "actions"},
      {[](auto& r) { r.mutable_actions()->set_shape(0, -2); }, grpc::INVALID_ARGUMENT, "BAD_TENSOR",
       "actions"},
      {[](auto& r) { r.mutable_actions()->mutable_data()->pop_back(); }, grpc::INVALID_ARGUMENT,
       "BAD_TENSOR", "actions"},
      {[nan](auto& r) {
         *r.mutable_actions() = F32({2, 2}, {0, nan, 0, 0});
       },
       grpc::INVALID_ARGUMENT, "BAD_TENSOR", "actions"},
      {[](auto& r) {
         *r.mutable_actions() = F32({2, 2}, {0, 1.5f, 0, 0});
       },
       grpc::INVALID_ARGUMENT, "BAD_TENSOR", "actions"},
      {[](auto& r) { r.add_env_ids(2); }, grpc::INVALID_ARGUMENT, "BAD_FIELD", "env_ids[0]"},
      {[](auto& r) { r.add_env_ids(1), r.add_env_ids(1); }, grpc::INVALID_ARGUMENT, "BAD_FIELD",
       "env_ids[1]"},
      {[](auto& r) { r.add_observations("x"); }, grpc::INVALID_ARGUMENT, "BAD_FIELD",
       "observations[0]"},
      {[](auto& r) { r.set_sampler_calls(5); }, grpc::INVALID_ARGUMENT, "BAD_FIELD",
       "sampler_calls"},
      {[](auto& r) { r.set_sampler_kind(static_cast<v1::SamplerKind>(9)); }, grpc::INVALID_ARGUMENT,
       "BAD_FIELD", "sampler_kind"},
      {[](auto& r) { r.mutable_context()->set_priority(static_cast<v1::Priority>(9)); },
       grpc::INVALID_ARGUMENT, "BAD_FIELD", "context.priority"},
      {[](auto& r) { *r.mutable_camera() = fakes::TestCamera(0, 4); }, grpc::INVALID_ARGUMENT,
       "BAD_FIELD", "camera.width"},
      {[](auto& r) { *r.mutable_camera() = fakes::TestCamera(4, 1u << 31); }, grpc::OUT_OF_RANGE,
       "LIMIT", "camera.height"},
      {[](auto& r) {
         *r.mutable_camera() = fakes::TestCamera(4, 4);
         r.mutable_camera()->set_world_from_cam(0, 2);
       },
       grpc::INVALID_ARGUMENT, "BAD_FIELD", "camera.world_from_cam"},
  };
  for (const Case& one : cases) {
    v1::StepRequest request = StepOf(id, {0.5f, 0.5f});
    one.spoil(request);
    v1::StepReply reply;
    const grpc::Status status = Step(request, &reply);
    EXPECT_EQ(status.error_code(), one.code) << status.error_message();
    EXPECT_EQ(DetailsOf(status).reason, one.reason) << status.error_message();
    EXPECT_EQ(DetailsOf(status).field, one.field) << status.error_message();
    EXPECT_NE(status.error_message().find(one.field), std::string::npos);
  }
  EXPECT_EQ(Positions(id), before);
}

TEST_F(StepRpcTest, ShowsTheImageOfTheNewStateFromAChosenCamera) {
  const std::string id = Ready(2);
  v1::StepRequest request = StepOf(id, {0.5f, 0.5f});
  request.add_observations("rgb");
  request.add_observations("depth");
  *request.mutable_camera() = fakes::TestCamera(8, 3);
  v1::StepReply reply;
  ASSERT_TRUE(Step(request, &reply).ok());
  const auto position = Positions(id);
  const v1::Tensor& rgb = reply.observations().at("rgb");
  ASSERT_EQ(Shape(rgb), (std::vector<int64_t>{2, 1, 3, 8, 3}));
  EXPECT_EQ(static_cast<uint8_t>(rgb.data()[0]), static_cast<uint8_t>(128 + 10 * position[0]));
  EXPECT_EQ(Shape(reply.observations().at("depth")), (std::vector<int64_t>{2, 1, 3, 8}));
}

TEST_F(StepRpcTest, TruncatesAtTheHorizonAndThenNeedsAReset) {
  v1::CreateSessionRequest create;
  create.set_max_episode_steps(2);
  const std::string id = Create(create).session_id();
  v1::ResetRequest reset;
  reset.set_session_id(id);
  v1::ResetReply reset_reply;
  ASSERT_TRUE(Reset(reset, &reset_reply).ok());
  v1::StepReply reply;
  ASSERT_TRUE(Step(StepOf(id, {0.1f}), &reply).ok());
  EXPECT_THAT(Bools(reply.truncated()), ElementsAre(false));
  ASSERT_TRUE(Step(StepOf(id, {0.1f}), &reply).ok());
  EXPECT_THAT(Bools(reply.truncated()), ElementsAre(true));
  EXPECT_EQ(DetailsOf(Step(StepOf(id, {0.1f}), &reply)).reason, "NEEDS_RESET");
  ASSERT_TRUE(Reset(reset, &reset_reply).ok());
  EXPECT_THAT(reset_reply.episode(), ElementsAre(1));
  EXPECT_TRUE(Step(StepOf(id, {0.1f}), &reply).ok());
}

TEST_F(StepRpcTest, ANonFiniteRowFailsAloneAndNeedsAReset) {
  const std::string id = Ready(2, 7, {"latent"});
  v1::StepReply reply;
  ASSERT_TRUE(Step(StepOf(id, {fakes::kPoisonAction, 0.5f}), &reply).ok());
  EXPECT_EQ(reply.row_status(0).code(), grpc::DATA_LOSS);
  EXPECT_EQ(reply.row_status(0).reason(), "NON_FINITE");
  EXPECT_EQ(reply.row_status(1).code(), 0);
  EXPECT_THAT(Floats(reply.reward()), ElementsAre(0.0f, 1.0f));
  EXPECT_EQ(Floats(reply.observations().at("latent"))[0], 0.0f);
  v1::Session session;
  ASSERT_TRUE(Get(id, &session).ok());
  EXPECT_EQ(session.envs(0).phase(), v1::EnvStatus::PHASE_FAILED);
  EXPECT_EQ(session.envs(1).step_index(), 1u);
  EXPECT_EQ(DetailsOf(Step(StepOf(id, {0.5f, 0.5f}), &reply)).reason, "NEEDS_RESET");
}

TEST_F(StepRpcTest, ANonFiniteOnlyRowFailsTheCall) {
  const std::string id = Ready();
  v1::StepReply reply;
  const grpc::Status status = Step(StepOf(id, {fakes::kPoisonAction}), &reply);
  EXPECT_EQ(status.error_code(), grpc::DATA_LOSS);
  EXPECT_EQ(DetailsOf(status).reason, "NON_FINITE");
}

TEST_F(StepRpcTest, AFailedObservationLeavesTheStateAsItWas) {
  const std::string id = Ready();
  const auto before = Positions(id);
  controls_->fail_render = true;
  v1::StepRequest request = StepOf(id, {0.5f});
  request.add_observations("rgb");
  v1::StepReply reply;
  const grpc::Status status = Step(request, &reply);
  EXPECT_EQ(status.error_code(), grpc::INTERNAL);
  EXPECT_EQ(status.error_message().find("on demand"), std::string::npos);
  controls_->fail_render = false;
  EXPECT_EQ(Positions(id), before);
}

TEST_F(StepRpcTest, TheSameSeedAndActionsGiveTheSameBits) {
  const auto trajectory = [this](uint64_t seed) {
    const std::string id = Ready(2, seed, {"latent"});
    std::string bits;
    for (float action : {0.5f, -0.25f, 0.125f}) {
      v1::StepReply reply;
      EXPECT_TRUE(Step(StepOf(id, {action, action}), &reply).ok());
      bits += reply.observations().at("latent").data();
    }
    return bits;
  };
  const std::string first = trajectory(11);
  EXPECT_EQ(first, trajectory(11));
  EXPECT_NE(first, trajectory(12));
  StartServer();
  EXPECT_EQ(first, trajectory(11));
}

TEST_F(StepRpcTest, EnvironmentsOfOneSessionDrawDifferentNoise) {
  const std::string id = Create([] {
                           v1::CreateSessionRequest request;
                           request.set_num_envs(2);
                           request.add_observations("latent");
                           return request;
                         }())
                             .session_id();
  v1::ResetRequest reset;
  reset.set_session_id(id);
  *reset.mutable_frames() = fakes::TestFrames(1, 1, 10);
  v1::ResetReply reset_reply;
  ASSERT_TRUE(Reset(reset, &reset_reply).ok());
  v1::StepReply reply;
  ASSERT_TRUE(Step(StepOf(id, {0.5f, 0.5f}), &reply).ok());
  const std::string& latents = reply.observations().at("latent").data();
  EXPECT_NE(latents.substr(0, latents.size() / 2), latents.substr(latents.size() / 2));
}

TEST_F(StepRpcTest, AFullStatePoolFailsTheRequestAlone) {
  const std::string id = Ready(2);
  controls_->pool_states = 3;
  v1::StepReply reply;
  const grpc::Status status = Step(StepOf(id, {0.5f, 0.5f}), &reply);
  EXPECT_EQ(status.error_code(), grpc::RESOURCE_EXHAUSTED);
  EXPECT_EQ(DetailsOf(status).reason, "GPU_MEMORY");
  controls_->pool_states = 64;
  EXPECT_TRUE(Step(StepOf(id, {0.5f, 0.5f}), &reply).ok());
}

}  // namespace
}  // namespace gwm::server
