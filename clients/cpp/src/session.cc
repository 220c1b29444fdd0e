#include "gwm/session.h"

#include <type_traits>
#include <utility>
#include <variant>

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

// A destructor must not keep its caller long: the server's lease takes over when this does not
// suffice.
constexpr milliseconds kCloseOnDestructionTimeout{2000};

void SetInit(const std::variant<FromPool, Frames, EpisodeFrame>& init, v1::ResetRequest* request) {
  if (const auto* pool = std::get_if<FromPool>(&init)) {
    Assign(pool->indices, request->mutable_pool_indices());
  } else if (const auto* frames = std::get_if<Frames>(&init)) {
    *request->mutable_frames() = ToProto(*frames);
  } else if (const auto* episode = std::get_if<EpisodeFrame>(&init)) {
    request->mutable_episode()->set_path(episode->path);
    request->mutable_episode()->set_frame(episode->frame);
  }
}

v1::ImagineRequest MakeImagineRequest(const std::string& session_id, const Tensor& actions,
                                      const ImagineOptions& options) {
  v1::ImagineRequest request;
  request.set_session_id(session_id);
  request.set_env_id(options.env_id);
  *request.mutable_actions() = ToProto(actions);
  request.set_branches(options.branches);
  if (options.seed) request.set_seed(*options.seed);
  Assign(options.observations, request.mutable_outputs());
  request.set_stride(options.stride);
  if (options.sampler_calls > 0) request.set_sampler_calls(options.sampler_calls);
  if (options.camera) *request.mutable_camera() = ToProto(*options.camera);
  return request;
}

void RequireOpen(const void* state) {
  if (state == nullptr) {
    throw Error({.code = Code::kFailedPrecondition,
                 .reason = "CLOSED",
                 .message = "this Session was closed or moved from"});
  }
}

}  // namespace

Session::Session(std::shared_ptr<internal::Wire> wire, std::unique_ptr<State> state)
    : wire_(std::move(wire)), state_(std::move(state)) {}
Session::Session(Session&& other) noexcept = default;
Session& Session::operator=(Session&& other) noexcept {
  std::swap(wire_, other.wire_);
  std::swap(state_, other.state_);
  return *this;
}

Session::~Session() {
  if (state_ == nullptr) return;
  v1::CloseSessionRequest request;
  request.set_session_id(state_->id);
  v1::CloseSessionReply reply;
  grpc::ClientContext context;
  wire_->SetDeadline(context, kCloseOnDestructionTimeout);
  // The outcome is of no use here: an unreachable server frees the session when its lease runs out.
  static_cast<void>(wire_->simulator().CloseSession(&context, request, &reply));
}

const std::string& Session::id() const {
  RequireOpen(state_.get());
  return state_->id;
}
uint32_t Session::num_envs() const {
  RequireOpen(state_.get());
  return state_->num_envs;
}
uint64_t Session::seed() const {
  RequireOpen(state_.get());
  return state_->seed;
}

ResetResult Session::Reset(const ResetOptions& options) {
  v1::ResetRequest request;
  request.set_session_id(id());
  Assign(options.env_ids, request.mutable_env_ids());
  if (options.seed) request.set_seed(*options.seed);
  SetInit(options.init, &request);
  Assign(options.observations, request.mutable_observations());
  request.mutable_context()->set_request_id(state_->NextRequestId());
  auto reply = wire_->Call<v1::ResetReply>(wire_->simulator(), &v1::Simulator::Stub::Reset, request,
                                           options.timeout, state_->repeat());
  state_->Note(options.env_ids, std::vector<uint64_t>(state_->num_envs, 0));
  return FromProto(&reply);
}

StepResult Session::Step(const Tensor& actions, const StepOptions& options) {
  v1::StepRequest request;
  request.set_session_id(id());
  Assign(options.env_ids, request.mutable_env_ids());
  *request.mutable_actions() = ToProto(actions);
  Assign(options.observations, request.mutable_observations());
  if (options.sampler_calls > 0) request.set_sampler_calls(options.sampler_calls);
  if (options.camera) *request.mutable_camera() = ToProto(*options.camera);
  Assign(state_->Expected(options.env_ids), request.mutable_expected_step());
  request.mutable_context()->set_request_id(state_->NextRequestId());
  auto reply = wire_->Call<v1::StepReply>(wire_->simulator(), &v1::Simulator::Stub::Step, request,
                                          options.timeout, state_->repeat());
  StepResult result = FromProto(&reply);
  state_->Note(options.env_ids, result.step_index);
  return result;
}

Images Session::Render(const RenderOptions& options) {
  v1::RenderRequest request;
  request.set_session_id(id());
  Assign(options.env_ids, request.mutable_env_ids());
  for (const Camera& camera : options.cameras) *request.add_cameras() = ToProto(camera);
  for (RenderOutput output : options.outputs) request.add_outputs(ToProto(output));
  request.set_rgb_dtype(options.rgb_f32 ? v1::DTYPE_F32 : v1::DTYPE_U8);
  auto reply = wire_->Call<v1::RenderReply>(wire_->simulator(), &v1::Simulator::Stub::Render,
                                            request, options.timeout, Repeat::kSafe);
  return FromProto(reply.mutable_images());
}

void Session::Imagine(const Tensor& actions, const ImagineOptions& options,
                      const std::function<bool(const ImagineChunk&)>& on_chunk) {
  const auto request = MakeImagineRequest(id(), actions, options);
  grpc::ClientContext context;
  if (options.timeout.count() > 0) wire_->SetDeadline(context, options.timeout);
  const auto stream = wire_->simulator().Imagine(&context, request);
  v1::ImagineChunk chunk;
  bool stopped = false;
  try {
    while (!stopped && stream->Read(&chunk)) stopped = !on_chunk(FromProto(&chunk));
  } catch (...) {
    context.TryCancel();
    static_cast<void>(stream->Finish());
    throw;
  }
  if (stopped) context.TryCancel();
  const grpc::Status status = stream->Finish();
  if (!stopped) internal::ThrowUnlessOk(status);
}

std::vector<uint64_t> Session::Resync() {
  v1::GetSessionRequest request;
  request.set_session_id(id());
  const auto reply = wire_->Call<v1::Session>(wire_->simulator(), &v1::Simulator::Stub::GetSession,
                                              request, milliseconds(0), Repeat::kSafe);
  std::vector<uint64_t> steps;
  for (const v1::EnvStatus& env : reply.envs()) steps.push_back(env.step_index());
  state_->Note({}, steps);
  return steps;
}

milliseconds Session::Renew() {
  v1::RenewSessionRequest request;
  request.set_session_id(id());
  const auto reply =
      wire_->Call<v1::RenewSessionReply>(wire_->simulator(), &v1::Simulator::Stub::RenewSession,
                                         request, milliseconds(0), Repeat::kSafe);
  return milliseconds(reply.expires_in().seconds() * 1000 + reply.expires_in().nanos() / 1'000'000);
}

void Session::Close() {
  if (state_ == nullptr) return;
  v1::CloseSessionRequest request;
  request.set_session_id(state_->id);
  wire_->Call<v1::CloseSessionReply>(wire_->simulator(), &v1::Simulator::Stub::CloseSession,
                                     request, milliseconds(0), Repeat::kSafe);
  state_.reset();
}

}  // namespace gwm::client
