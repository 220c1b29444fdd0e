// A synchronous gRPC server that answers the calls of rpc_calls.cc with next to no work: what the
// transport alone costs in C++. Prints "listening on ADDRESS" and serves until its input ends.
#include <grpcpp/grpcpp.h>

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "gwm/v1/simulator.grpc.pb.h"

namespace gwm::bench {
namespace {

constexpr int64_t kActionDim = 2;
constexpr char kPattern = 0x5a;

void SetScalar(v1::DType dtype, std::string data, v1::Tensor& tensor) {
  tensor.set_dtype(dtype);
  tensor.add_shape(1);
  tensor.set_data(std::move(data));
}

class Echo : public v1::Simulator::Service {
  grpc::Status CreateSession(grpc::ServerContext*, const v1::CreateSessionRequest*,
                             v1::Session* reply) override {
    reply->set_session_id("echo");
    return grpc::Status::OK;
  }
  grpc::Status Reset(grpc::ServerContext*, const v1::ResetRequest*, v1::ResetReply*) override {
    return grpc::Status::OK;
  }
  grpc::Status CloseSession(grpc::ServerContext*, const v1::CloseSessionRequest*,
                            v1::CloseSessionReply*) override {
    return grpc::Status::OK;
  }
  // The reward is the sum of the action, as in the fake world.
  grpc::Status Step(grpc::ServerContext*, const v1::StepRequest* request,
                    v1::StepReply* reply) override {
    const std::string& data = request->actions().data();
    if (data.size() != kActionDim * sizeof(float)) {
      return {grpc::StatusCode::INVALID_ARGUMENT, "two action entries are asked for"};
    }
    const auto* action = reinterpret_cast<const float*>(data.data());
    const float reward = action[0] + action[1];
    SetScalar(v1::DTYPE_F32, std::string(reinterpret_cast<const char*>(&reward), sizeof(reward)),
              *reply->mutable_reward());
    for (v1::Tensor* flag :
         {reply->mutable_terminated(), reply->mutable_truncated(), reply->mutable_success()}) {
      SetScalar(v1::DTYPE_BOOL, std::string(1, '\0'), *flag);
    }
    reply->add_step_index(++steps_);
    return grpc::Status::OK;
  }
  // Pixels copied into a `bytes` field, as a naive server does it.
  grpc::Status Render(grpc::ServerContext*, const v1::RenderRequest* request,
                      v1::RenderReply* reply) override {
    const v1::Camera& camera = request->cameras(0);
    const size_t bytes = size_t{3} * camera.width() * camera.height();
    if (pixels_.size() != bytes) pixels_.assign(bytes, kPattern);
    v1::Tensor& rgb = *reply->mutable_images()->mutable_rgb();
    rgb.set_dtype(v1::DTYPE_U8);
    for (int64_t side : {int64_t{1}, int64_t{1}, static_cast<int64_t>(camera.height()),
                         static_cast<int64_t>(camera.width()), int64_t{3}}) {
      rgb.add_shape(side);
    }
    rgb.set_data(pixels_.data(), pixels_.size());
    return grpc::Status::OK;
  }

  uint64_t steps_ = 0;
  std::vector<char> pixels_;  // of the one client's image size
};

int Main() {
  Echo service;
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.SetMaxSendMessageSize(-1);
  builder.RegisterService(&service);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr || port == 0) return 1;
  std::printf("listening on 127.0.0.1:%d\n", port);
  std::fflush(stdout);
  while (std::getchar() != EOF) {
  }
  server->Shutdown();
  return 0;
}

}  // namespace
}  // namespace gwm::bench

int main() { return gwm::bench::Main(); }
