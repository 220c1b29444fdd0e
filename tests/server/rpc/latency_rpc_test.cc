// Where the time of a call goes: told in its reply, and in the metrics.
#include <numeric>

#include "server/convert/duration.h"
#include "tests/server/rpc/server_fixture.h"

namespace gwm::server {
namespace {

constexpr absl::Duration kEncode = absl::Milliseconds(30);
constexpr absl::Duration kCall = absl::Milliseconds(10);
constexpr absl::Duration kHeads = absl::Milliseconds(4);
constexpr absl::Duration kRender = absl::Milliseconds(7);

// A world that takes its time by the fake clock: nothing else does.
class LatencyRpcTest : public ServerTest {
 protected:
  void SetUp() override {
    controls_->on_call = [this](std::string_view call) {
      clock_.Advance(call == "reset" ? kEncode : kRender);
    };
    controls_->on_advance = [this](int) { clock_.Advance(kCall); };
    controls_->heads_time = kHeads;
    StartServer();
  }

  static absl::Duration Of(const google::protobuf::Duration& proto) {
    return FromProto(proto).value_or(absl::InfiniteDuration());
  }
  // Of all stages.
  static absl::Duration Sum(const v1::StepTiming& timing) {
    return Of(timing.queue()) + Of(timing.encode()) + Of(timing.dynamics()) + Of(timing.reward()) +
           Of(timing.render()) + Of(timing.pack());
  }
};

TEST_F(LatencyRpcTest, AStepTellsItsStages) {
  const std::string id = Ready(1, 7, {"rgb"});
  v1::StepReply reply;
  ASSERT_TRUE(Step(StepOf(id, {0.1F}), &reply).ok());
  EXPECT_EQ(Of(reply.timing().dynamics()), 2 * kCall - kHeads);
  EXPECT_EQ(Of(reply.timing().reward()), kHeads);
  EXPECT_EQ(Of(reply.timing().render()), kRender);
  EXPECT_EQ(Of(reply.timing().encode()), absl::ZeroDuration());
  EXPECT_EQ(Of(reply.timing().total()), 2 * kCall + kRender);
  EXPECT_EQ(Sum(reply.timing()), Of(reply.timing().total()));
}

TEST_F(LatencyRpcTest, AResetEncodesAndARenderRenders) {
  const std::string id = Ready();
  v1::ResetRequest reset;
  reset.set_session_id(id);
  v1::ResetReply begun;
  ASSERT_TRUE(Reset(reset, &begun).ok());
  EXPECT_EQ(Of(begun.timing().encode()), kEncode);
  EXPECT_EQ(Of(begun.timing().total()), kEncode);
  v1::RenderRequest render;
  render.set_session_id(id);
  v1::RenderReply images;
  ASSERT_TRUE(Render(render, &images).ok());
  EXPECT_EQ(Of(images.timing().render()), kRender);
  EXPECT_EQ(Of(images.timing().total()), kRender);
}

TEST_F(LatencyRpcTest, AChunkTellsOfItselfAlone) {
  const std::string id = Ready();
  v1::ImagineRequest request;
  request.set_session_id(id);
  *request.mutable_actions() = fakes::F32({1, 2, 2}, {0.1F, 0, 0.1F, 0});
  request.add_outputs("rgb");
  grpc::ClientContext context;
  auto stream = simulator_->Imagine(&context, request);
  v1::ImagineChunk chunk;
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(stream->Read(&chunk));
    EXPECT_EQ(Of(chunk.timing().dynamics()), 2 * kCall - kHeads);
    EXPECT_EQ(Of(chunk.timing().total()), 2 * kCall + kRender);
    EXPECT_EQ(Sum(chunk.timing()), Of(chunk.timing().total()));
  }
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(LatencyRpcTest, APlanAddsUpItsSteps) {
  const std::string id = Ready();
  v1::PlanRequest request;
  request.set_session_id(id);
  *request.mutable_actions() = fakes::F32({2, 3, 2}, std::vector<float>(12, 0.1F));
  v1::PlanReply reply;
  ASSERT_TRUE(Call(*simulator_, &v1::Simulator::Stub::Plan, request, &reply).ok());
  EXPECT_EQ(Of(reply.timing().dynamics()), 3 * (2 * kCall - kHeads));
  EXPECT_EQ(Of(reply.timing().total()), 3 * 2 * kCall);
}

TEST_F(LatencyRpcTest, TheMetricsAddUpWhatTheRepliesTell) {
  const std::string id = Ready(1, 7, {"rgb"});
  for (int i = 0; i < 3; ++i) {
    v1::StepReply reply;
    ASSERT_TRUE(Step(StepOf(id, {0.1F}), &reply).ok());
  }
  const auto seconds = [&](const std::string& stage) {
    return Metric("gwm_rpc_stage_seconds_total{rpc=\"Simulator.Step\",stage=\"" + stage + "\"}");
  };
  EXPECT_NEAR(seconds("dynamics"), 3 * absl::ToDoubleSeconds(2 * kCall - kHeads), 1e-9);
  EXPECT_NEAR(seconds("reward"), 3 * absl::ToDoubleSeconds(kHeads), 1e-9);
  EXPECT_NEAR(seconds("render"), 3 * absl::ToDoubleSeconds(kRender), 1e-9);
  EXPECT_EQ(seconds("encode"), 0);
}

TEST_F(LatencyRpcTest, ARepeatedStepTellsOfItsOwnTime) {
  const std::string id = Ready();
  v1::StepRequest request = StepOf(id, {0.1F});
  request.mutable_context()->set_request_id("once");
  v1::StepReply first, again;
  ASSERT_TRUE(Step(request, &first).ok());
  ASSERT_TRUE(Step(request, &again).ok());
  EXPECT_TRUE(again.replayed());
  EXPECT_EQ(Of(again.timing().dynamics()), absl::ZeroDuration());
  EXPECT_EQ(Of(again.timing().gpu()), Of(first.timing().gpu()));
}

}  // namespace
}  // namespace gwm::server
