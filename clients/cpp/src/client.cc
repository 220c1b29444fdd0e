#include "gwm/client.h"

#include <grpcpp/generic/generic_stub.h>

#include <future>
#include <memory>
#include <utility>

#include "clients/cpp/src/convert.h"
#include "clients/cpp/src/session_state.h"
#include "clients/cpp/src/wire.h"

namespace gwm::client {
namespace {

using internal::Assign;
using internal::FromProto;
using internal::Repeat;
using internal::ToProto;
using std::chrono::milliseconds;

constexpr milliseconds kDefaultTimeout{0};

// grpc.health.v1.HealthCheckRequest has one string field (tag 1) and its reply one enum (tag 1,
// SERVING = 1); generated code for them inside a library would collide with that of the
// application.
std::string HealthRequest(const std::string& service) {
  if (service.size() > 127) {
    throw Error({.code = Code::kInvalidArgument,
                 .field = "service",
                 .message = "service name of " + std::to_string(service.size()) +
                            " bytes; at most 127 are allowed"});
  }
  if (service.empty()) return {};
  return std::string("\x0a") + static_cast<char>(service.size()) + service;
}

template <typename Request>
void Name(const ModelRef& model, Request& request) {
  request.set_model_id(model.model_id);
  request.set_checkpoint_digest(model.checkpoint_digest);
}

std::string ToString(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  std::string bytes;
  if (!buffer.Dump(&slices).ok()) return bytes;
  for (const grpc::Slice& slice : slices) {
    bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return bytes;
}

}  // namespace

Client::Client(const std::string& address, const ClientOptions& options)
    : wire_(std::make_shared<internal::Wire>(address, options)) {}
Client::~Client() = default;

void Client::WaitUntilConnected(milliseconds timeout) {
  if (!wire_->channel().WaitForConnected(std::chrono::system_clock::now() + timeout)) {
    throw Error({.code = Code::kUnavailable,
                 .message = "no server answered within " + std::to_string(timeout.count()) + " ms",
                 .retry_after = milliseconds(0)});
  }
}

bool Client::IsServing(const std::string& service) {
  const grpc::Slice slice(HealthRequest(service));
  const grpc::ByteBuffer request(&slice, 1);
  grpc::ByteBuffer reply;
  grpc::ClientContext context;
  wire_->SetDeadline(context, kDefaultTimeout);
  grpc::GenericStub stub(wire_->shared_channel());
  std::promise<grpc::Status> done;
  stub.UnaryCall(&context, "/grpc.health.v1.Health/Check", {}, &request, &reply,
                 [&done](grpc::Status status) { done.set_value(std::move(status)); });
  internal::ThrowUnlessOk(done.get_future().get());
  return ToString(reply) == std::string("\x08\x01");
}

Spec Client::GetSpec(const ModelRef& model) {
  v1::GetSpecRequest request;
  Name(model, request);
  return FromProto(wire_->Call<v1::SimulatorSpec>(wire_->simulator(), &v1::Simulator::Stub::GetSpec,
                                                  request, kDefaultTimeout, Repeat::kSafe));
}

ServerInfo Client::GetServerInfo() {
  return FromProto(wire_->Call<v1::ServerInfo>(wire_->server(), &v1::Server::Stub::GetServerInfo,
                                               v1::GetServerInfoRequest(), kDefaultTimeout,
                                               Repeat::kSafe));
}

Limits Client::GetLimits() {
  return FromProto(wire_->Call<v1::Limits>(wire_->server(), &v1::Server::Stub::GetLimits,
                                           v1::GetLimitsRequest(), kDefaultTimeout, Repeat::kSafe));
}

std::vector<Model> Client::ListModels() {
  const auto reply =
      wire_->Call<v1::ListModelsReply>(wire_->models(), &v1::Models::Stub::ListModels,
                                       v1::ListModelsRequest(), kDefaultTimeout, Repeat::kSafe);
  std::vector<Model> models;
  for (const v1::Model& model : reply.models()) models.push_back(FromProto(model));
  return models;
}

Model Client::GetModel(const ModelRef& model) {
  v1::GetModelRequest request;
  Name(model, request);
  return FromProto(wire_->Call<v1::Model>(wire_->models(), &v1::Models::Stub::GetModel, request,
                                          kDefaultTimeout, Repeat::kSafe));
}

Model Client::LoadModel(const std::string& checkpoint, const LoadModelOptions& options) {
  v1::LoadModelRequest request;
  request.set_checkpoint(checkpoint);
  request.set_expected_digest(options.expected_digest);
  request.set_set_default(options.set_default);
  return FromProto(wire_->Call<v1::Model>(wire_->models(), &v1::Models::Stub::LoadModel, request,
                                          options.timeout, Repeat::kSafe));
}

Model Client::UnloadModel(const std::string& checkpoint_digest, const UnloadModelOptions& options) {
  v1::UnloadModelRequest request;
  request.set_checkpoint_digest(checkpoint_digest);
  request.set_drain(options.drain);
  if (options.grace) *request.mutable_grace() = ToProto(*options.grace);
  return FromProto(wire_->Call<v1::Model>(wire_->models(), &v1::Models::Stub::UnloadModel, request,
                                          kDefaultTimeout, Repeat::kOnlyIfRefused));
}

Model Client::SetDefaultModel(const ModelRef& model) {
  v1::SetDefaultModelRequest request;
  Name(model, request);
  return FromProto(wire_->Call<v1::Model>(wire_->models(), &v1::Models::Stub::SetDefaultModel,
                                          request, kDefaultTimeout, Repeat::kSafe));
}

WarmUpTimes Client::WarmUp(const ModelRef& model, uint32_t rows) {
  v1::WarmUpRequest request;
  Name(model, request);
  request.set_rows(rows);
  return FromProto(wire_->Call<v1::WarmUpReply>(wire_->models(), &v1::Models::Stub::WarmUp, request,
                                                kDefaultTimeout, Repeat::kSafe));
}

Session Client::CreateSession(const SessionOptions& options) {
  v1::CreateSessionRequest request;
  request.set_num_envs(options.num_envs);
  if (options.seed) request.set_seed(*options.seed);
  if (options.sampler_calls > 0) request.mutable_sampler()->set_calls(options.sampler_calls);
  request.mutable_sampler()->set_kind(ToProto(options.sampler));
  Assign(options.observations, request.mutable_observations());
  if (options.idle_ttl.count() != 0) *request.mutable_idle_ttl() = ToProto(options.idle_ttl);
  request.set_max_episode_steps(options.max_episode_steps);
  request.set_max_expected_error(options.max_expected_error);
  request.set_evictable(options.evictable);
  request.set_spillable(options.spillable);
  Name(options.model, request);
  request.set_auto_reset(static_cast<v1::AutoReset>(options.auto_reset));
  request.mutable_context()->set_client_id(wire_->client_id());
  // Repeated also where the name is not heeded: a session that nobody knows of ends with its lease.
  request.mutable_context()->set_request_id(wire_->NextRequestId());
  const auto reply =
      wire_->Call<v1::Session>(wire_->simulator(), &v1::Simulator::Stub::CreateSession, request,
                               options.timeout, Repeat::kSafe);
  return Session(wire_, std::make_unique<Session::State>(reply));
}

Session Client::AttachSession(const std::string& id) {
  v1::GetSessionRequest request;
  request.set_session_id(id);
  const auto reply = wire_->Call<v1::Session>(wire_->simulator(), &v1::Simulator::Stub::GetSession,
                                              request, kDefaultTimeout, Repeat::kSafe);
  return Session(wire_, std::make_unique<Session::State>(reply));
}

std::vector<SessionSummary> Client::ListSessions() {
  std::vector<SessionSummary> sessions;
  v1::ListSessionsRequest request;
  request.mutable_context()->set_client_id(wire_->client_id());
  do {
    const auto reply =
        wire_->Call<v1::ListSessionsReply>(wire_->simulator(), &v1::Simulator::Stub::ListSessions,
                                           request, kDefaultTimeout, Repeat::kSafe);
    for (const v1::SessionSummary& one : reply.sessions()) {
      sessions.push_back({one.session_id(), one.num_envs(), one.state_bytes()});
    }
    request.set_page_token(reply.next_page_token());
  } while (!request.page_token().empty());
  return sessions;
}

LatentTokens Client::Encode(const Frames& frames, const EncodeOptions& options) {
  v1::EncodeRequest request;
  Name(options.model, request);
  *request.mutable_frames() = ToProto(frames);
  request.set_gaussian_count(options.gaussian_count);
  auto reply = wire_->Call<v1::EncodeReply>(wire_->perception(), &v1::Perception::Stub::Encode,
                                            request, options.timeout, Repeat::kSafe);
  LatentTokens tokens{.latents = FromProto(reply.mutable_latents()),
                      .centres = FromProto(reply.mutable_centres()),
                      .gaussians = {},
                      .model_id = reply.model_id(),
                      .checkpoint_digest = reply.checkpoint_digest()};
  for (v1::GaussianCloud& cloud : *reply.mutable_gaussians()) {
    tokens.gaussians.push_back(FromProto(&cloud));
  }
  return tokens;
}

Images Client::Decode(const Tensor& latents, const Frames& anchors, const RenderOptions& options,
                      const ModelRef& model) {
  v1::DecodeRequest request;
  Name(model, request);
  *request.mutable_latents() = ToProto(latents);
  *request.mutable_frames() = ToProto(anchors);
  for (const Camera& camera : options.cameras) *request.add_cameras() = ToProto(camera);
  for (RenderOutput output : options.outputs) request.add_outputs(ToProto(output));
  request.set_rgb_dtype(options.rgb_f32 ? v1::DTYPE_F32 : v1::DTYPE_U8);
  auto reply = wire_->Call<v1::DecodeReply>(wire_->perception(), &v1::Perception::Stub::Decode,
                                            request, options.timeout, Repeat::kSafe);
  return FromProto(reply.mutable_images());
}

FeatureTokens Client::Features(const Frames& frames, const FeatureOptions& options) {
  v1::FeaturesRequest request;
  Name(options.model, request);
  *request.mutable_frames() = ToProto(frames);
  request.set_pooling(static_cast<v1::FeaturePooling>(options.pooling));
  request.set_dtype(static_cast<v1::DType>(options.dtype));
  auto reply = wire_->Call<v1::FeaturesReply>(wire_->perception(), &v1::Perception::Stub::Features,
                                              request, options.timeout, Repeat::kSafe);
  return {.features = FromProto(reply.mutable_features()),
          .centres = FromProto(reply.mutable_centres()),
          .model_id = reply.model_id(),
          .checkpoint_digest = reply.checkpoint_digest(),
          .cache_key = reply.cache_key()};
}

}  // namespace gwm::client
