// Simulator.Run: tagged requests on one stream.
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <map>
#include <thread>

#include "tests/server/rpc/server_fixture.h"

namespace gwm::server {
namespace {

using fakes::DetailsOf;

// The client's end of one stream.
class Pipe {
 public:
  explicit Pipe(v1::Simulator::Stub& simulator) : stream_(simulator.Run(&context_)) {
    v1::RunResponse response;
    if (stream_->Read(&response) && response.has_opened()) window_ = response.opened().window();
  }
  ~Pipe() { context_.TryCancel(); }

  uint32_t window() const { return window_; }
  v1::RunRequest& next(uint64_t tag) {
    request_.Clear();
    request_.set_tag(tag);
    return request_;
  }
  bool Send() { return stream_->Write(request_); }
  bool SendStep(uint64_t tag, const v1::StepRequest& step) {
    *next(tag).mutable_step() = step;
    return Send();
  }
  bool SendClose(uint64_t tag, const std::string& session) {
    next(tag).mutable_close()->set_session_id(session);
    return Send();
  }
  // Its tag is 0 when the stream ended.
  v1::RunResponse Receive() {
    v1::RunResponse response;
    if (!stream_->Read(&response)) response.Clear();
    return response;
  }
  void HalfClose() { stream_->WritesDone(); }
  void Cancel() { context_.TryCancel(); }
  grpc::Status End() { return stream_->Finish(); }

 private:
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::RunRequest, v1::RunResponse>> stream_;
  v1::RunRequest request_;
  uint32_t window_ = 0;
};

grpc::Status ErrorOf(const v1::RunResponse& response) {
  return {static_cast<grpc::StatusCode>(response.error().code()), response.error().message(),
          response.error().SerializeAsString()};
}

// What must not depend on the way of the call.
template <typename Reply>
std::string Bits(Reply reply) {
  reply.clear_timing();
  std::string bits;
  google::protobuf::io::StringOutputStream out(&bits);
  google::protobuf::io::CodedOutputStream coded(&out);
  coded.SetSerializationDeterministic(true);  // maps in the order of their keys
  EXPECT_TRUE(reply.SerializeToCodedStream(&coded));
  coded.Trim();
  return bits;
}

class RunRpcTest : public ServerTest {
 protected:
  v1::RenderRequest LargeRender(const std::string& id) {
    v1::RenderRequest request;
    request.set_session_id(id);
    *request.add_cameras() = fakes::TestCamera(2000, 2000);
    return request;
  }
};

TEST_F(RunRpcTest, TheFirstResponseTellsTheWindow) {
  options_.limits.max_run_window = 5;
  StartServer();
  EXPECT_EQ(Pipe(*simulator_).window(), 5u);
}

TEST_F(RunRpcTest, StepsGiveTheSameBitsAsUnarySteps) {
  const std::vector<std::string> observations = {"rgb", "latent"};
  const std::string unary = Ready(2, 11, observations), streamed = Ready(2, 11, observations);
  Pipe pipe(*simulator_);
  for (uint64_t tag = 1; tag <= 5; ++tag) {
    const float action = 0.125f * static_cast<float>(tag);
    v1::StepReply reply;
    ASSERT_TRUE(Step(StepOf(unary, {action, -action}), &reply).ok());
    ASSERT_TRUE(pipe.SendStep(tag, StepOf(streamed, {action, -action})));
    const v1::RunResponse response = pipe.Receive();
    ASSERT_EQ(response.tag(), tag);
    EXPECT_EQ(Bits(response.step()), Bits(reply));
  }
}

TEST_F(RunRpcTest, EveryVerbAnswersAsItsRpcDoes) {
  const std::string id = Ready(2, 3);
  Pipe pipe(*simulator_);
  pipe.next(1).mutable_reset()->set_session_id(id);
  ASSERT_TRUE(pipe.Send());
  EXPECT_EQ(pipe.Receive().reset().episode_size(), 2);
  pipe.next(2).mutable_render()->set_session_id(id);
  ASSERT_TRUE(pipe.Send());
  v1::RenderRequest render;
  render.set_session_id(id);
  v1::RenderReply rendered;
  ASSERT_TRUE(Render(render, &rendered).ok());
  EXPECT_EQ(pipe.Receive().render().SerializeAsString(), rendered.SerializeAsString());
  pipe.next(3).mutable_fork()->set_session_id(id);
  ASSERT_TRUE(pipe.Send());
  const std::string child = pipe.Receive().fork().session().session_id();
  v1::Session session;
  EXPECT_TRUE(Get(child, &session).ok());
  auto& observe = *pipe.next(4).mutable_observe();
  observe.set_session_id(id);
  *observe.mutable_frames() = fakes::TestFrames(2, 1, 0);
  ASSERT_TRUE(pipe.Send());
  EXPECT_EQ(fakes::Floats(pipe.Receive().observe().latent_error()).size(), 2u);
  ASSERT_TRUE(pipe.SendClose(5, child));
  EXPECT_TRUE(pipe.Receive().has_close());
  EXPECT_EQ(Get(child, &session).error_code(), grpc::StatusCode::FAILED_PRECONDITION);
}

TEST_F(RunRpcTest, AnAnswerDoesNotWaitForThoseBeforeIt) {
  const std::string id = Ready();
  Pipe pipe(*simulator_);
  controls_->gate.Close();
  ASSERT_TRUE(pipe.SendStep(1, StepOf(id, {0.5f})));
  controls_->gate.AwaitWaiter();
  ASSERT_TRUE(pipe.SendStep(2, StepOf("nobody", {0.5f})));
  EXPECT_EQ(pipe.Receive().tag(), 2u);
  controls_->gate.Open();
  EXPECT_EQ(pipe.Receive().tag(), 1u);
}

TEST_F(RunRpcTest, RequestsOfOneSessionTakeEffectInTheirOrder) {
  const std::string id = Ready();
  Pipe pipe(*simulator_);
  for (uint64_t tag = 1; tag <= 20; ++tag) {
    ASSERT_TRUE(pipe.SendStep(tag, StepOf(id, {0.01f})));
  }
  ASSERT_TRUE(pipe.SendClose(21, id));
  std::map<uint64_t, v1::RunResponse> answers;
  for (int i = 0; i < 21; ++i) {
    v1::RunResponse answer = pipe.Receive();
    answers[answer.tag()] = std::move(answer);
  }
  for (uint64_t tag = 1; tag <= 20; ++tag) {
    ASSERT_TRUE(answers[tag].has_step()) << answers[tag].ShortDebugString();
    EXPECT_EQ(answers[tag].step().step_index(0), tag);
  }
  EXPECT_TRUE(answers[21].has_close());
}

TEST_F(RunRpcTest, ARequestThatFailsIsAnsweredAndTheStreamGoesOn) {
  const std::string id = Ready();
  Pipe pipe(*simulator_);
  v1::StepRequest bad = StepOf(id, {0.5f});
  bad.mutable_actions()->mutable_shape()->Set(0, 7);
  ASSERT_TRUE(pipe.SendStep(1, bad));
  const grpc::Status error = ErrorOf(pipe.Receive());
  EXPECT_EQ(error.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(DetailsOf(error).reason, "BAD_TENSOR");
  EXPECT_EQ(DetailsOf(error).field, "actions");
  ASSERT_TRUE(pipe.SendStep(2, StepOf(id, {0.5f})));
  EXPECT_EQ(pipe.Receive().step().step_index(0), 1u);
}

TEST_F(RunRpcTest, ARequestWithoutContentIsRefused) {
  Pipe pipe(*simulator_);
  pipe.next(9);
  ASSERT_TRUE(pipe.Send());
  const v1::RunResponse response = pipe.Receive();
  EXPECT_EQ(response.tag(), 9u);
  EXPECT_EQ(DetailsOf(ErrorOf(response)).field, "request");
}

TEST_F(RunRpcTest, AnswersComeAfterTheLastRequestToo) {
  const std::string id = Ready();
  Pipe pipe(*simulator_);
  for (uint64_t tag = 1; tag <= 3; ++tag) ASSERT_TRUE(pipe.SendStep(tag, StepOf(id, {0.1f})));
  pipe.HalfClose();
  for (uint64_t tag = 1; tag <= 3; ++tag) EXPECT_EQ(pipe.Receive().tag(), tag);
  EXPECT_EQ(pipe.Receive().tag(), 0u);
  EXPECT_TRUE(pipe.End().ok());
}

TEST_F(RunRpcTest, NoMoreThanTheWindowIsReadAhead) {
  options_.limits.max_run_window = 2;
  StartServer();
  const std::string id = Ready();
  Pipe pipe(*simulator_);
  controls_->gate.Close();
  for (uint64_t tag = 1; tag <= 6; ++tag) ASSERT_TRUE(pipe.SendStep(tag, StepOf(id, {0.1f})));
  controls_->gate.AwaitWaiter();
  v1::Session session;
  ASSERT_TRUE(Get(id, &session).ok());
  EXPECT_LE(server_->queue_length(), 1u);  // one runs, one waits
  controls_->gate.Open();
  for (uint64_t tag = 1; tag <= 6; ++tag) EXPECT_EQ(pipe.Receive().tag(), tag);
}

TEST_F(RunRpcTest, AReaderThatStopsHoldsUpItselfAlone) {
  options_.limits.max_run_window = 2;
  StartServer();
  const std::string slow = Ready(), quick = Ready();
  Pipe pipe(*simulator_);
  for (uint64_t tag = 1; tag <= 6; ++tag) {
    *pipe.next(tag).mutable_render() = LargeRender(slow);
    ASSERT_TRUE(pipe.Send());
  }
  controls_->renders.AwaitAtLeast(2);
  for (int i = 0; i < 20; ++i) {
    v1::StepReply reply;
    ASSERT_TRUE(Step(StepOf(quick, {0.01f}), &reply).ok());
  }
  EXPECT_EQ(controls_->renders.value(), 2);  // the window's worth, each too large for the transport
  for (uint64_t tag = 1; tag <= 6; ++tag) EXPECT_EQ(pipe.Receive().tag(), tag);
}

TEST_F(RunRpcTest, ACancelledStreamLetsGoOfItsRequests) {
  const std::string id = Ready();
  {
    Pipe pipe(*simulator_);
    controls_->gate.Close();
    for (uint64_t tag = 1; tag <= 4; ++tag) ASSERT_TRUE(pipe.SendStep(tag, StepOf(id, {0.1f})));
    controls_->gate.AwaitWaiter();
    pipe.Cancel();
    EXPECT_EQ(pipe.End().error_code(), grpc::StatusCode::CANCELLED);
    controls_->gate.Open();
  }
  ASSERT_TRUE(Close(id).ok());
  server_->Shutdown(absl::InfiniteDuration());  // comes back only when every call has ended
  server_.reset();
  EXPECT_EQ(controls_->live_states, 0);
}

TEST_F(RunRpcTest, DrainEndsAnIdleStream) {
  Pipe pipe(*simulator_);
  server_->Shutdown(absl::InfiniteDuration());
  EXPECT_EQ(pipe.Receive().tag(), 0u);
  const grpc::Status end = pipe.End();
  EXPECT_EQ(end.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(DetailsOf(end).reason, "DRAINING");
}

TEST_F(RunRpcTest, DrainAnswersWhatIsInFlight) {
  const std::string id = Ready();
  Pipe pipe(*simulator_);
  controls_->gate.Close();
  ASSERT_TRUE(pipe.SendStep(1, StepOf(id, {0.5f})));
  controls_->gate.AwaitWaiter();
  std::thread shutdown([this] { server_->Shutdown(absl::InfiniteDuration()); });
  controls_->gate.Open();
  EXPECT_EQ(pipe.Receive().step().step_index(0), 1u);
  EXPECT_EQ(pipe.Receive().tag(), 0u);
  EXPECT_EQ(DetailsOf(pipe.End()).reason, "DRAINING");
  shutdown.join();
}

TEST_F(RunRpcTest, OneStreamMoreThanAllowedIsRefused) {
  options_.limits.max_run_streams = 1;
  StartServer();
  Pipe first(*simulator_), second(*simulator_);
  EXPECT_EQ(second.Receive().tag(), 0u);
  const grpc::Status status = second.End();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(DetailsOf(status).reason, "OVERLOADED");
  EXPECT_TRUE(DetailsOf(status).retry);
  first.HalfClose();
  EXPECT_TRUE(first.End().ok());
}

}  // namespace
}  // namespace gwm::server
