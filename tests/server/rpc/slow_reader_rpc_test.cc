// Readers of Imagine that are slower than the rollout.
#include "tests/server/rpc/server_fixture.h"

namespace gwm::server {
namespace {

using fakes::DetailsOf;

class SlowReaderRpcTest : public ServerTest {
 protected:
  SlowReaderRpcTest() {
    options_.metrics_listen = "127.0.0.1:0";
    options_.limits.slow_reader_timeout = absl::Seconds(60);
  }
  void SetUp() override {
    ServerTest::SetUp();
    NarrowWindow();
  }
  // The client takes in no more than 64 KiB that nobody reads; as a rule that grows to megabytes.
  void NarrowWindow() {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
    channel_ = grpc::CreateCustomChannel(server_->addresses().front(),
                                         grpc::InsecureChannelCredentials(), arguments);
    simulator_ = v1::Simulator::NewStub(channel_);
  }
  // Chunks are larger than the window.
  std::unique_ptr<grpc::ClientReader<v1::ImagineChunk>> Imagine(grpc::ClientContext* context,
                                                                const std::string& id,
                                                                int64_t steps = 1000) {
    v1::ImagineRequest request;
    request.set_session_id(id);
    *request.mutable_actions() =
        fakes::F32({1, steps, 2}, std::vector<float>(static_cast<size_t>(2 * steps)));
    request.add_outputs("rgb");
    *request.mutable_camera() = fakes::TestCamera(512, 512);
    auto reader = simulator_->Imagine(context, request);
    reader->WaitForInitialMetadata();
    return reader;
  }
  // Another client's steps, until the rollout has done all that it does without its reader. Returns
  // the steps that all rollouts have made so far.
  double RolloutStepsWhileOthersStep(const std::string& id) {
    v1::StepReply reply;
    for (int i = 0; i < 50; ++i) EXPECT_TRUE(Step(StepOf(id, {0.0f}), &reply).ok());
    return Metric("gwm_imagined_steps_total{model=\"fake\"}");
  }
};

TEST_F(SlowReaderRpcTest, TwoChunksAreAllThatIsMadeForAReaderThatDoesNotRead) {
  const std::string id = Ready();
  grpc::ClientContext context;
  auto reader = Imagine(&context, id);
  EXPECT_EQ(RolloutStepsWhileOthersStep(id), 2);
  EXPECT_EQ(RolloutStepsWhileOthersStep(id), 2);
  EXPECT_EQ(controls_->live_states, 2);  // the session's and the rollout's
  v1::ImagineChunk chunk;
  ASSERT_TRUE(reader->Read(&chunk));
  EXPECT_EQ(RolloutStepsWhileOthersStep(id), 3);
  context.TryCancel();
  EXPECT_FALSE(reader->Finish().ok());
}

TEST_F(SlowReaderRpcTest, ReadingLateCostsNothingOfTheRollout) {
  const std::string id = Ready();
  grpc::ClientContext context;
  auto reader = Imagine(&context, id, 5);
  RolloutStepsWhileOthersStep(id);
  clock_.Advance(absl::Seconds(59));
  server_->EndSlowReaders();
  v1::ImagineChunk chunk;
  for (uint32_t t = 1; t <= 5; ++t) {
    ASSERT_TRUE(reader->Read(&chunk));
    EXPECT_EQ(chunk.t(), t);
  }
  EXPECT_FALSE(reader->Read(&chunk));
  EXPECT_TRUE(reader->Finish().ok());
  EXPECT_EQ(Metric("gwm_stream_backpressure_seconds_total{rpc=\"Simulator.Imagine\"}"), 59);
}

TEST_F(SlowReaderRpcTest, ATimeWithoutReadingEndsTheRolloutAndGivesItsStatesBack) {
  const std::string id = Ready();
  grpc::ClientContext context;
  auto reader = Imagine(&context, id);
  ASSERT_EQ(RolloutStepsWhileOthersStep(id), 2);
  clock_.Advance(absl::Seconds(60));
  server_->EndSlowReaders();
  EXPECT_EQ(controls_->live_states, 1);
  EXPECT_EQ(Metric("gwm_rpc_in_flight{rpc=\"Simulator.Imagine\"}"), 0);
  EXPECT_EQ(Metric("gwm_stream_backpressure_seconds_total{rpc=\"Simulator.Imagine\"}"), 60);
  // The chunk that was on its way is still there, and the reason comes behind it.
  v1::ImagineChunk chunk;
  EXPECT_TRUE(reader->Read(&chunk));
  EXPECT_FALSE(reader->Read(&chunk));
  const grpc::Status status = reader->Finish();
  EXPECT_EQ(status.error_code(), grpc::DEADLINE_EXCEEDED) << status.error_message();
  EXPECT_EQ(DetailsOf(status).reason, "SLOW_READER");
}

TEST_F(SlowReaderRpcTest, AReaderThatNeverComesLosesEvenTheChunkOnItsWay) {
  const std::string id = Ready();
  grpc::ClientContext context;
  auto reader = Imagine(&context, id);
  ASSERT_EQ(RolloutStepsWhileOthersStep(id), 2);
  clock_.Advance(absl::Seconds(120));
  server_->EndSlowReaders();
  server_->EndSlowReaders();
  // The rest of the chunk, and the reason behind it, are dropped with the stream.
  v1::ImagineChunk chunk;
  EXPECT_FALSE(reader->Read(&chunk));
  EXPECT_EQ(reader->Finish().error_code(), grpc::CANCELLED);
}

TEST_F(SlowReaderRpcTest, AShutdownDoesNotWaitForAReaderThatNeverComes) {
  const std::string id = Ready();
  grpc::ClientContext context;
  auto reader = Imagine(&context, id);
  ASSERT_EQ(RolloutStepsWhileOthersStep(id), 2);
  server_->Shutdown(absl::Milliseconds(50));
  EXPECT_EQ(Metric("gwm_rpc_in_flight{rpc=\"Simulator.Imagine\"}"), 0);
  v1::ImagineChunk chunk;
  while (reader->Read(&chunk)) {
  }
  EXPECT_FALSE(reader->Finish().ok());
}

TEST_F(SlowReaderRpcTest, OthersAreNotHeldUp) {
  options_.limits.max_imagine_streams = 8;
  StartServer();
  NarrowWindow();
  const std::string id = Ready();
  std::vector<std::unique_ptr<grpc::ClientContext>> contexts;
  std::vector<std::unique_ptr<grpc::ClientReader<v1::ImagineChunk>>> unread;
  for (int i = 0; i < 7; ++i) {
    contexts.push_back(std::make_unique<grpc::ClientContext>());
    unread.push_back(Imagine(contexts.back().get(), id));
  }
  EXPECT_EQ(RolloutStepsWhileOthersStep(id), 2 * 7);
  grpc::ClientContext context;
  auto reader = Imagine(&context, id, 20);
  v1::ImagineChunk chunk;
  int chunks = 0;
  while (reader->Read(&chunk)) ++chunks;
  EXPECT_TRUE(reader->Finish().ok());
  EXPECT_EQ(chunks, 20);
  for (size_t i = 0; i < unread.size(); ++i) {
    contexts[i]->TryCancel();
    EXPECT_FALSE(unread[i]->Finish().ok());
  }
}

}  // namespace
}  // namespace gwm::server
