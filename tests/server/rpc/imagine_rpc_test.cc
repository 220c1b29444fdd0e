// Imagine: streams of chunks that leave the session alone.
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

class ImagineRpcTest : public ServerTest {
 protected:
  static v1::ImagineRequest Request(const std::string& id, int64_t branches, int64_t steps,
                                    float action) {
    v1::ImagineRequest request;
    request.set_session_id(id);
    *request.mutable_actions() =
        F32({branches, steps, 2},
            std::vector<float>(static_cast<size_t>(branches * steps * 2), action));
    return request;
  }
  grpc::Status Imagine(const v1::ImagineRequest& request, std::vector<v1::ImagineChunk>* chunks) {
    grpc::ClientContext context;
    auto reader = simulator_->Imagine(&context, request);
    v1::ImagineChunk chunk;
    while (reader->Read(&chunk)) chunks->push_back(chunk);
    return reader->Finish();
  }
};

TEST_F(ImagineRpcTest, StreamsChunksOfTheStrideAndLeavesTheSessionAlone) {
  const std::string id = Ready(2, 7);
  const auto before = Positions(id);
  v1::ImagineRequest request = Request(id, 3, 5, 0.25f);
  request.set_env_id(1);
  request.set_stride(2);
  request.add_outputs("rgb");
  request.add_outputs("latent");
  std::vector<v1::ImagineChunk> chunks;
  const grpc::Status status = Imagine(request, &chunks);
  ASSERT_TRUE(status.ok()) << status.error_message();
  ASSERT_EQ(chunks.size(), 3u);
  EXPECT_EQ(chunks[0].t(), 2u);
  EXPECT_EQ(chunks[2].t(), 5u);
  EXPECT_EQ(Shape(chunks[0].reward()), (std::vector<int64_t>{3, 2}));
  EXPECT_EQ(Shape(chunks[2].reward()), (std::vector<int64_t>{3, 1}));
  EXPECT_THAT(Floats(chunks[2].reward()), ElementsAre(0.5f, 0.5f, 0.5f));
  EXPECT_EQ(Shape(chunks[0].observations().at("rgb")), (std::vector<int64_t>{3, 1, 4, 6, 3}));
  EXPECT_EQ(Floats(chunks[2].observations().at("latent"))[0], before[2] + 1.25f);
  EXPECT_EQ(Positions(id), before);
  v1::Session session;
  ASSERT_TRUE(Get(id, &session).ok());
  EXPECT_EQ(session.envs(1).step_index(), 0u);
  EXPECT_EQ(controls_->live_states, 2);
}

TEST_F(ImagineRpcTest, BranchZeroShowsWhatStepGivesAndOthersDiffer) {
  const std::string id = Ready(1, 7, {"latent"});
  v1::ImagineRequest request = Request(id, 1, 2, 0.25f);
  request.set_branches(2);
  request.add_outputs("latent");
  std::vector<v1::ImagineChunk> chunks;
  ASSERT_TRUE(Imagine(request, &chunks).ok());
  ASSERT_EQ(chunks.size(), 2u);
  v1::StepReply reply;
  ASSERT_TRUE(Step(StepOf(id, {0.25f}), &reply).ok());
  ASSERT_TRUE(Step(StepOf(id, {0.25f}), &reply).ok());
  const std::string& real = reply.observations().at("latent").data();
  const std::string& imagined = chunks[1].observations().at("latent").data();
  EXPECT_EQ(imagined.substr(0, real.size()), real);
  EXPECT_NE(imagined.substr(real.size()), real);
}

TEST_F(ImagineRpcTest, BranchesThatEndStandStillAndTheStreamEndsWithTheLast) {
  const std::string id = Create().session_id();
  v1::ResetRequest reset;
  reset.set_session_id(id);
  reset.add_pool_indices(4);
  v1::ResetReply reset_reply;
  ASSERT_TRUE(Reset(reset, &reset_reply).ok());
  v1::ImagineRequest request = Request(id, 2, 20, 1.0f);
  // Branch 1 turns non-finite at once; branch 0 ends at x0 = 10, after 6 steps.
  std::vector<float> actions(80, 1.0f);
  actions[40] = fakes::kPoisonAction;
  *request.mutable_actions() = F32({2, 20, 2}, actions);
  request.set_stride(4);
  std::vector<v1::ImagineChunk> chunks;
  ASSERT_TRUE(Imagine(request, &chunks).ok());
  ASSERT_EQ(chunks.size(), 2u);
  EXPECT_THAT(Bools(chunks[0].done()), ElementsAre(false, true));
  EXPECT_EQ(chunks[0].row_status(1).reason(), "NON_FINITE");
  EXPECT_EQ(chunks[1].t(), 6u);
  EXPECT_THAT(Bools(chunks[1].terminated()), ElementsAre(false, true, false, false));
  EXPECT_THAT(Bools(chunks[1].done()), ElementsAre(true, true));
}

TEST_F(ImagineRpcTest, RejectsWhatIsBeyondTheLimits) {
  options_.limits.max_imagine_steps = 10;
  options_.limits.max_imagine_branches = 4;
  StartServer();
  const std::string id = Ready();
  struct Case {
    v1::ImagineRequest request;
    grpc::StatusCode code;
    std::string field;
  };
  std::vector<Case> cases = {{Request(id, 1, 11, 0), grpc::OUT_OF_RANGE, "actions"},
                             {Request(id, 5, 1, 0), grpc::OUT_OF_RANGE, "branches"},
                             {Request(id, 2, 1, 0), grpc::INVALID_ARGUMENT, "actions"},
                             {Request(id, 1, 1, 0), grpc::INVALID_ARGUMENT, "env_id"},
                             {Request(id, 0, 1, 0), grpc::INVALID_ARGUMENT, "actions"}};
  cases[2].request.set_branches(3);
  cases[3].request.set_env_id(1);
  for (const Case& one : cases) {
    std::vector<v1::ImagineChunk> chunks;
    const grpc::Status status = Imagine(one.request, &chunks);
    EXPECT_EQ(status.error_code(), one.code) << status.error_message();
    EXPECT_EQ(DetailsOf(status).field, one.field) << status.error_message();
    EXPECT_TRUE(chunks.empty());
  }
}

TEST_F(ImagineRpcTest, CancellingEndsTheRolloutAndGivesItsStatesBack) {
  const std::string id = Ready();
  controls_->gate.Close();
  grpc::ClientContext context;
  auto reader = simulator_->Imagine(&context, Request(id, 4, 1000, 0.0f));
  controls_->gate.AwaitWaiter();
  context.TryCancel();
  EXPECT_EQ(reader->Finish().error_code(), grpc::CANCELLED);
  controls_->gate.Open();
  // The drain waits for the server's side of the stream.
  server_->Shutdown(absl::Seconds(10));
  server_.reset();
  EXPECT_EQ(controls_->live_states, 0);
  EXPECT_LT(controls_->Batches().size(), 1000u);
}

TEST_F(ImagineRpcTest, OneStreamTooManyIsRefused) {
  options_.limits.max_imagine_streams = 1;
  StartServer();
  const std::string id = Ready();
  controls_->gate.Close();
  grpc::ClientContext context;
  auto held = simulator_->Imagine(&context, Request(id, 1, 1, 0.0f));
  controls_->gate.AwaitWaiter();
  std::vector<v1::ImagineChunk> chunks;
  const grpc::Status status = Imagine(Request(id, 1, 1, 0.0f), &chunks);
  EXPECT_EQ(status.error_code(), grpc::RESOURCE_EXHAUSTED);
  EXPECT_EQ(DetailsOf(status).reason, "OVERLOADED");
  controls_->gate.Open();
  v1::ImagineChunk chunk;
  EXPECT_TRUE(held->Read(&chunk));
  EXPECT_TRUE(held->Finish().ok());
}

}  // namespace
}  // namespace gwm::server
