#include "clients/bench/calls.h"

#include <stdexcept>
#include <vector>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace gwm::bench {
namespace {

constexpr auto kSetUpTimeout = std::chrono::seconds(30);

template <typename Reply, typename Method, typename Request>
Reply Ask(v1::Simulator::Stub& stub, Method method, const Request& request) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kSetUpTimeout);
  Reply reply;
  const grpc::Status status = (stub.*method)(&context, request, &reply);
  if (!status.ok()) throw std::runtime_error(status.error_message());
  return reply;
}

const char* CodeName(int code) {
  static constexpr const char* kNames[] = {"OK",
                                           "CANCELLED",
                                           "UNKNOWN",
                                           "INVALID_ARGUMENT",
                                           "DEADLINE_EXCEEDED",
                                           "NOT_FOUND",
                                           "ALREADY_EXISTS",
                                           "PERMISSION_DENIED",
                                           "RESOURCE_EXHAUSTED",
                                           "FAILED_PRECONDITION",
                                           "ABORTED",
                                           "OUT_OF_RANGE",
                                           "UNIMPLEMENTED",
                                           "INTERNAL",
                                           "UNAVAILABLE",
                                           "DATA_LOSS",
                                           "UNAUTHENTICATED"};
  return code >= 0 && code < static_cast<int>(std::size(kNames)) ? kNames[code] : "UNKNOWN";
}

}  // namespace

std::unique_ptr<v1::Simulator::Stub> Dial(const std::string& address) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetMaxReceiveMessageSize(-1);
  return v1::Simulator::NewStub(
      grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments));
}

v1::CreateSessionRequest CreateRequest(const LoadOptions& options, uint64_t seed) {
  v1::CreateSessionRequest request;
  request.set_num_envs(options.envs);
  request.set_seed(seed);
  request.mutable_context()->set_client_id("bench-server");
  if (const auto ms = options.idle_ttl.count(); ms > 0) {
    request.mutable_idle_ttl()->set_seconds(ms / 1000);
    request.mutable_idle_ttl()->set_nanos(static_cast<int>(ms % 1000) * 1'000'000);
  }
  for (const std::string& name : options.observations) request.add_observations(name);
  return request;
}

v1::StepRequest StepRequest(const std::string& session, uint32_t envs, int64_t action_dim) {
  v1::StepRequest request;
  request.set_session_id(session);
  v1::Tensor& actions = *request.mutable_actions();
  actions.set_dtype(v1::DTYPE_F32);
  actions.add_shape(envs);
  actions.add_shape(action_dim);
  const std::vector<float> zeros(envs * static_cast<size_t>(action_dim), 0.0f);
  actions.set_data(zeros.data(), zeros.size() * sizeof(float));
  return request;
}

int64_t AskActionDim(v1::Simulator::Stub& stub) {
  const auto spec =
      Ask<v1::SimulatorSpec>(stub, &v1::Simulator::Stub::GetSpec, v1::GetSpecRequest());
  return spec.actions(0).shape(0);
}

std::string MakeSession(v1::Simulator::Stub& stub, const LoadOptions& options, uint64_t seed) {
  const auto session =
      Ask<v1::Session>(stub, &v1::Simulator::Stub::CreateSession, CreateRequest(options, seed));
  v1::ResetRequest reset;
  reset.set_session_id(session.session_id());
  Ask<v1::ResetReply>(stub, &v1::Simulator::Stub::Reset, reset);
  return session.session_id();
}

void CloseSession(v1::Simulator::Stub& stub, const std::string& session) {
  v1::CloseSessionRequest request;
  request.set_session_id(session);
  v1::CloseSessionReply reply;
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kSetUpTimeout);
  // The lease takes over when this does not work.
  static_cast<void>(stub.CloseSession(&context, request, &reply));
}

std::string ErrorName(int code, const std::string& details) {
  google::rpc::Status status;
  google::rpc::ErrorInfo info;
  if (status.ParseFromString(details)) {
    for (const auto& detail : status.details()) {
      if (detail.UnpackTo(&info)) return std::string(CodeName(code)) + "/" + info.reason();
    }
  }
  return CodeName(code);
}

double MsSince(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

double DeviceMs(const v1::StepTiming& timing) {
  return static_cast<double>(timing.gpu().seconds()) * 1e3 + timing.gpu().nanos() * 1e-6;
}

}  // namespace gwm::bench
