// Times unary calls of one blocking client to several servers in turn (A B C A B C ...), each over
// its own connection, and prints JSON. What the servers answer is compared as well.
//
//   rpc_calls step|render CALLS WIDTH HEIGHT ADDRESS...
//
// latency_us, device_us, reply_bytes: one list per address. "different": the first answer that was
// not the same from all servers, or empty.
#include <grpcpp/grpcpp.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "clients/bench/calls.h"
#include "gwm/v1/simulator.grpc.pb.h"

namespace gwm::bench {
namespace {

constexpr int kWarmUps = 20;
constexpr float kMove = 0.25F;
constexpr int kMaxMessageBytes = 64 << 20;

// One connection with a session of one environment.
class Line {
 public:
  explicit Line(const std::string& address) {
    grpc::ChannelArguments arguments;
    arguments.SetMaxReceiveMessageSize(kMaxMessageBytes);
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    stub_ = v1::Simulator::NewStub(
        grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments));
    v1::CreateSessionRequest create;
    create.set_num_envs(1);
    create.set_seed(1);
    v1::Session session;
    Call(&v1::Simulator::Stub::CreateSession, create, &session);
    session_ = session.session_id();
    v1::ResetRequest reset;
    reset.set_session_id(session_);
    reset.add_pool_indices(0);
    v1::ResetReply begun;
    Call(&v1::Simulator::Stub::Reset, reset, &begun);
  }

  template <typename Request, typename Reply>
  double Call(grpc::Status (v1::Simulator::Stub::*method)(grpc::ClientContext*, const Request&,
                                                          Reply*),
              const Request& request, Reply* reply) {
    grpc::ClientContext context;
    const auto begin = Clock::now();
    const grpc::Status status = ((*stub_).*method)(&context, request, reply);
    const double us = 1000 * MsSince(begin);
    if (!status.ok()) throw std::runtime_error(status.error_message());
    return us;
  }

  const std::string& session() const { return session_; }

 private:
  std::unique_ptr<v1::Simulator::Stub> stub_;
  std::string session_;
};

struct Answer {
  double latency_us = 0;
  double device_us = 0;
  size_t bytes = 0;
  std::string content;  // what must be the same from all servers
};

// Back and forth, so that the fake world's point stays where it is.
Answer StepOnce(Line& line, int call) {
  const float move = call % 2 == 0 ? kMove : -kMove;
  const std::array<float, 2> action = {move, 0};
  v1::StepRequest request;
  request.set_session_id(line.session());
  v1::Tensor& actions = *request.mutable_actions();
  actions.set_dtype(v1::DTYPE_F32);
  actions.add_shape(1);
  actions.add_shape(2);
  actions.set_data(reinterpret_cast<const char*>(action.data()), sizeof(action));
  v1::StepReply reply;
  const double us = line.Call(&v1::Simulator::Stub::Step, request, &reply);
  return {us, 1000 * DeviceMs(reply.timing()), reply.ByteSizeLong(), reply.reward().data()};
}

v1::RenderRequest RenderRequestOf(const std::string& session, uint32_t width, uint32_t height) {
  v1::RenderRequest request;
  request.set_session_id(session);
  v1::Camera& camera = *request.add_cameras();
  const auto f = static_cast<float>(width);
  const float cy = static_cast<float>(height) / 2;
  for (float v : {f, 0.F, f / 2, 0.F, f, cy, 0.F, 0.F, 1.F}) camera.add_intrinsics(v);
  for (int k = 0; k < 16; ++k) camera.add_world_from_cam(k % 5 == 0 ? 1.F : 0.F);
  camera.set_width(width);
  camera.set_height(height);
  return request;
}

// The content is the number of pixels that equal the first one, and so says that all arrived.
Answer RenderOnce(Line& line, uint32_t width, uint32_t height) {
  v1::RenderReply reply;
  const double us = line.Call(&v1::Simulator::Stub::Render,
                              RenderRequestOf(line.session(), width, height), &reply);
  const std::string& rgb = reply.images().rgb().data();
  size_t same = 0;
  for (size_t i = 0; i + 3 <= rgb.size(); i += 3) same += rgb.compare(i, 3, rgb, 0, 3) == 0;
  return {us, 1000 * DeviceMs(reply.timing()), reply.ByteSizeLong(), std::to_string(same)};
}

int Main(const std::vector<std::string>& arguments) {
  if (arguments.size() < 5) {
    std::fputs("rpc_calls step|render CALLS WIDTH HEIGHT ADDRESS...\n", stderr);
    return 2;
  }
  const bool step = arguments[0] == "step";
  const int calls = std::atoi(arguments[1].c_str());
  const auto width = static_cast<uint32_t>(std::atoi(arguments[2].c_str()));
  const auto height = static_cast<uint32_t>(std::atoi(arguments[3].c_str()));
  std::vector<std::unique_ptr<Line>> lines;
  for (size_t i = 4; i < arguments.size(); ++i) {
    lines.push_back(std::make_unique<Line>(arguments[i]));
  }
  std::vector<std::vector<double>> latency(lines.size()), device(lines.size());
  std::vector<size_t> bytes(lines.size());
  std::string different;
  for (int call = 0; call < calls + kWarmUps; ++call) {
    std::string first;
    for (size_t i = 0; i < lines.size(); ++i) {
      const Answer answer = step ? StepOnce(*lines[i], call) : RenderOnce(*lines[i], width, height);
      if (i == 0) first = answer.content;
      if (answer.content != first && different.empty()) {
        different = "call " + std::to_string(call) + " to " + arguments[4 + i];
      }
      bytes[i] = answer.bytes;
      if (call < kWarmUps) continue;
      latency[i].push_back(answer.latency_us);
      device[i].push_back(answer.device_us);
    }
  }
  const nlohmann::json out = {{"latency_us", latency},
                              {"device_us", device},
                              {"reply_bytes", bytes},
                              {"different", different}};
  std::puts(out.dump().c_str());
  return 0;
}

}  // namespace
}  // namespace gwm::bench

int main(int argc, char** argv) {
  try {
    return gwm::bench::Main(std::vector<std::string>(argv + 1, argv + argc));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "rpc_calls: %s\n", error.what());
    return 1;
  }
}
