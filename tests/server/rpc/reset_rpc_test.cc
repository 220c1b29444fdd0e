// Resets from frames, episode files and the pool.
#include <gmock/gmock.h>

#include <algorithm>

#include "tests/server/rpc/server_fixture.h"

namespace gwm::server {
namespace {

using fakes::DetailsOf;
using fakes::F32;
using fakes::Shape;
using ::testing::ElementsAre;
using ResetRpcTest = ServerTest;

TEST_F(ResetRpcTest, AResetWithASeedStartsTheSameStoryAgain) {
  const std::string id = Ready(1, 3, {"latent"});
  v1::ResetRequest reset;
  reset.set_session_id(id);
  reset.set_seed(99);
  std::string stories[2];
  for (std::string& story : stories) {
    v1::ResetReply reset_reply;
    ASSERT_TRUE(Reset(reset, &reset_reply).ok());
    EXPECT_THAT(reset_reply.episode(), ElementsAre(0));
    story = reset_reply.observations().at("latent").data();
    v1::StepReply reply;
    ASSERT_TRUE(Step(StepOf(id, {0.5f}), &reply).ok());
    story += reply.observations().at("latent").data();
  }
  EXPECT_EQ(stories[0], stories[1]);
}

TEST_F(ResetRpcTest, ResetsFromFramesWithContextAndActions) {
  const std::string id = Create([] {
                           v1::CreateSessionRequest request;
                           request.set_num_envs(2);
                           return request;
                         }())
                             .session_id();
  v1::ResetRequest reset;
  reset.set_session_id(id);
  *reset.mutable_frames() = fakes::TestFrames(2, 2, 51);
  *reset.mutable_frames()->mutable_actions() = F32({2, 1, 2}, {0.25f, 0.25f, 0.5f, 0.5f});
  reset.add_observations("rgb");
  v1::ResetReply reply;
  ASSERT_TRUE(Reset(reset, &reply).ok());
  EXPECT_EQ(reply.pool_indices_size(), 0);
  EXPECT_EQ(Shape(reply.observations().at("rgb")), (std::vector<int64_t>{2, 1, 4, 6, 3}));
  EXPECT_EQ(Shape(reply.intrinsics()), (std::vector<int64_t>{2, 1, 3, 3}));
  EXPECT_EQ(Shape(reply.world_from_cam()), (std::vector<int64_t>{2, 1, 4, 4}));
  // x0 = 51 / 255, x1 = earlier frames + sum of actions.
  EXPECT_THAT(Positions(id), ElementsAre(0.2f, 1.5f, 0.2f, 2.0f));
}

TEST_F(ResetRpcTest, RejectsBadFramesWithTheFieldsName) {
  const std::string id = Create().session_id();
  struct Case {
    std::function<void(v1::RgbdFrames&)> spoil;
    std::string field;
  };
  const std::vector<Case> cases = {
      {[](auto& f) { f.clear_rgb(); }, "frames.rgb"},
      {[](auto& f) { f = fakes::TestFrames(1, 3, 1); }, "frames.rgb"},
      {[](auto& f) { f = fakes::TestFrames(2, 1, 1); }, "frames.rgb"},
      {[](auto& f) { f.mutable_rgb()->set_shape(0, INT64_MAX); }, "frames.rgb"},
      {[](auto& f) { f.mutable_depth_mm()->set_dtype(v1::DTYPE_F32); }, "frames.depth_mm"},
      {[](auto& f) { f.mutable_intrinsics()->mutable_data()->assign(36, '\xff'); },
       "frames.intrinsics"},
      {[](auto& f) { f.mutable_world_from_cam()->mutable_data()->assign(64, '\0'); },
       "frames.world_from_cam"},
      {[](auto& f) {
         *f.mutable_actions() = F32({1, 1, 2}, {0, 0});
       },
       "frames.actions"},
  };
  for (const Case& one : cases) {
    v1::ResetRequest reset;
    reset.set_session_id(id);
    *reset.mutable_frames() = fakes::TestFrames(1, 1, 10);
    one.spoil(*reset.mutable_frames());
    v1::ResetReply reply;
    const grpc::Status status = Reset(reset, &reply);
    EXPECT_EQ(status.error_code(), grpc::INVALID_ARGUMENT) << one.field;
    EXPECT_EQ(DetailsOf(status).reason, "BAD_TENSOR") << status.error_message();
    EXPECT_EQ(DetailsOf(status).field, one.field) << status.error_message();
  }
}

TEST_F(ResetRpcTest, PoolEntriesFollowFromSeedAndCanBeChosen) {
  v1::CreateSessionRequest create;
  create.set_num_envs(8);
  create.set_seed(5);
  const std::string id = Create(create).session_id();
  v1::ResetRequest reset;
  reset.set_session_id(id);
  v1::ResetReply first, second;
  ASSERT_TRUE(Reset(reset, &first).ok());
  ASSERT_TRUE(Reset(reset, &second).ok());
  const std::vector<uint32_t> chosen(first.pool_indices().begin(), first.pool_indices().end());
  EXPECT_GT(*std::max_element(chosen.begin(), chosen.end()),
            *std::min_element(chosen.begin(), chosen.end()));
  EXPECT_NE(chosen,
            std::vector<uint32_t>(second.pool_indices().begin(), second.pool_indices().end()));
  reset.add_env_ids(3);
  reset.add_pool_indices(4);
  v1::ResetReply reply;
  ASSERT_TRUE(Reset(reset, &reply).ok());
  EXPECT_THAT(reply.pool_indices(), ElementsAre(4));
  EXPECT_EQ(Positions(id)[6], 4.0f);
  reset.set_pool_indices(0, 5);
  EXPECT_EQ(DetailsOf(Reset(reset, &reply)).field, "pool_indices[0]");
}

TEST_F(ResetRpcTest, EpisodeStartsAreOffWithoutARoot) {
  const std::string id = Create().session_id();
  v1::ResetRequest reset;
  reset.set_session_id(id);
  reset.mutable_episode()->set_path("a.safetensors");
  v1::ResetReply reply;
  EXPECT_EQ(Reset(reset, &reply).error_code(), grpc::UNIMPLEMENTED);
}

}  // namespace
}  // namespace gwm::server
