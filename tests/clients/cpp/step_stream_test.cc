// StepStream against a server that answers pairs of steps in the opposite order, and breaks on
// demand.
#include "gwm/step_stream.h"

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <optional>

#include "gwm/client.h"
#include "tests/clients/cpp/scripted_server.h"

namespace gwm::client {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

constexpr uint32_t kWindow = 3;

class StreamServer final : public v1::Simulator::Service {
 public:
  StreamServer() {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
  }
  ~StreamServer() override { server_->Shutdown(std::chrono::system_clock::now()); }

  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  std::vector<std::string> names() {
    const std::lock_guard lock(mutex_);
    return names_;
  }

  std::atomic<int> break_after = 0;  // requests until a stream breaks; 0: never
  std::atomic<bool> breaks_always = false;
  std::atomic<uint64_t> refused_tag = 0;

 private:
  grpc::Status CreateSession(grpc::ServerContext*, const v1::CreateSessionRequest* request,
                             v1::Session* session) override {
    session->set_session_id("s");
    session->set_num_envs(request->num_envs());
    session->set_replays_calls(true);
    for (uint32_t env = 0; env < request->num_envs(); ++env) session->add_envs();
    return grpc::Status::OK;
  }
  grpc::Status CloseSession(grpc::ServerContext*, const v1::CloseSessionRequest*,
                            v1::CloseSessionReply*) override {
    return grpc::Status::OK;
  }

  grpc::Status Run(grpc::ServerContext*,
                   grpc::ServerReaderWriter<v1::RunResponse, v1::RunRequest>* stream) override {
    v1::RunResponse opened;
    opened.mutable_opened()->set_window(kWindow);
    stream->Write(opened);
    std::optional<v1::RunResponse> held;
    v1::RunRequest request;
    while (stream->Read(&request)) {
      {
        const std::lock_guard lock(mutex_);
        names_.push_back(request.step().context().request_id());
      }
      if (breaks_always || --break_after == 0) {
        return {grpc::StatusCode::UNAVAILABLE, "broken on demand"};
      }
      if (!held.has_value()) {
        held = AnswerTo(request);
        continue;
      }
      stream->Write(AnswerTo(request));
      stream->Write(*held);
      held.reset();
    }
    return grpc::Status::OK;
  }

  v1::RunResponse AnswerTo(const v1::RunRequest& request) const {
    v1::RunResponse response;
    response.set_tag(request.tag());
    if (request.tag() == refused_tag) {
      response.mutable_error()->set_code(grpc::StatusCode::ABORTED);
      response.mutable_error()->set_message("not so");
      return response;
    }
    v1::StepReply& reply = *response.mutable_step();
    const int64_t rows = request.step().env_ids_size();
    *reply.mutable_reward() = FloatTensor({rows}, std::vector<float>(rows, 1));
    for (auto* flags :
         {reply.mutable_terminated(), reply.mutable_truncated(), reply.mutable_success()}) {
      *flags = BoolTensor({rows}, std::vector<bool>(rows, false));
    }
    *reply.mutable_success_probability() = FloatTensor({rows}, std::vector<float>(rows, 0));
    for (uint64_t step : request.step().expected_step()) {
      reply.add_step_index(step + 1);
      reply.add_row_status();
    }
    return response;
  }

  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
  std::mutex mutex_;
  std::vector<std::string> names_;
};

class StepStreamTest : public ::testing::Test {
 protected:
  static Tensor Action(int64_t rows = 1) {
    return Tensor::From<float>({rows, 2}, std::vector<float>(static_cast<size_t>(rows) * 2, 0.0f));
  }

  StreamServer server_;
  Client client_{
      server_.address(),
      {.timeout = milliseconds(20'000),
       .retry = {.attempts = 3, .first_wait = milliseconds(1), .max_wait = milliseconds(1)}}};
  Session session_ = client_.CreateSession({.num_envs = 4});
};

TEST_F(StepStreamTest, AnswersComeAsTheyGetDoneWithTheirEnvironments) {
  StepStream stream = session_.Run();
  EXPECT_EQ(stream.window(), kWindow);
  stream.Send(Action(), {.env_ids = {1}});
  stream.Send(Action(2), {.env_ids = {2, 0}});
  const auto first = stream.Recv();
  EXPECT_THAT(first.env_ids, ElementsAre(2, 0));
  EXPECT_THAT(first.result.step_index, ElementsAre(1, 1));
  EXPECT_THAT(stream.Recv().env_ids, ElementsAre(1));
  EXPECT_EQ(stream.in_flight(), 0u);
}

TEST_F(StepStreamTest, AnEnvironmentHasOneStepOnItsWay) {
  StepStream stream = session_.Run();
  stream.Send(Action(), {.env_ids = {1}});
  try {
    stream.Send(Action(2), {.env_ids = {0, 1}});
    ADD_FAILURE() << "did not throw";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kInvalidArgument);
    EXPECT_THAT(error.message(), HasSubstr("environment 1 waits"));
  }
}

TEST_F(StepStreamTest, NoMoreThanTheWindowIsSent) {
  StepStream stream = session_.Run();
  for (uint32_t env = 0; env < kWindow; ++env) stream.Send(Action(), {.env_ids = {env}});
  EXPECT_THROW(stream.Send(Action(), {.env_ids = {3}}), Error);
}

TEST_F(StepStreamTest, ARefusedStepSaysWhoseItWasAndTheStreamGoesOn) {
  server_.refused_tag = 2;
  StepStream stream = session_.Run();
  stream.Send(Action(), {.env_ids = {0}});
  stream.Send(Action(), {.env_ids = {3}});
  try {
    stream.Recv();
    ADD_FAILURE() << "did not throw";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kAborted);
    EXPECT_EQ(error.message(), "not so");
  }
  EXPECT_THAT(stream.failed_env_ids(), ElementsAre(3));
  EXPECT_THAT(stream.Recv().env_ids, ElementsAre(0));
  stream.Send(Action(2), {.env_ids = {0, 3}});
}

TEST_F(StepStreamTest, StepsThatWereNotAnsweredAreSentAgainUnderTheirNames) {
  server_.break_after = 2;
  StepStream stream = session_.Run();
  stream.Send(Action(), {.env_ids = {0}});
  stream.Send(Action(), {.env_ids = {1}});
  const uint32_t first = stream.Recv().env_ids[0], second = stream.Recv().env_ids[0];
  EXPECT_THAT((std::vector<uint32_t>{first, second}), UnorderedElementsAre(0, 1));
  const auto names = server_.names();
  ASSERT_EQ(names.size(), 4u);
  EXPECT_EQ(names[0], names[2]);
  EXPECT_EQ(names[1], names[3]);
}

TEST_F(StepStreamTest, AServerThatStaysBrokenIsReported) {
  server_.breaks_always = true;
  StepStream stream = session_.Run();
  stream.Send(Action(), {.env_ids = {0}});
  try {
    stream.Recv();
    ADD_FAILURE() << "did not throw";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kUnavailable);
  }
  EXPECT_EQ(server_.names().size(), 3u);
}

}  // namespace
}  // namespace gwm::client
