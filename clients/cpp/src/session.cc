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

void SetInit(const decltype(ResetOptions::init)& init, v1::ResetRequest* request) {
  if (const auto* pool = std::get_if<FromPool>(&init)) {
    Assign(pool->indices, request->mutable_pool_indices());
  } else if (const auto* frames = std::get_if<Frames>(&init)) {
    *request->mutable_frames() = ToProto(*frames);
  } else if (const auto* episode = std::get_if<EpisodeFrame>(&init)) {
    request->mutable_episode()->set_path(episode->path);
    request->mutable_episode()->set_frame(episode->frame);
  } else if (const auto* state = std::get_if<StateRef>(&init)) {
    *request->mutable_state() = ToProto(*state);
  }
}

v1::ImagineRequest MakeImagineRequest(const std::string& session_id, const Tensor& actions,
                                      const ImagineOptions& options) {
  v1::ImagineRequest request;
  if (options.state) {
    *request.mutable_state() = ToProto(*options.state);
  } else {
    request.set_session_id(session_id);
  }
  request.set_return_final_state(options.return_final_state);
  request.set_env_id(options.env_id);
  *request.mutable_actions() = ToProto(actions);
  request.set_branches(options.branches);
  if (options.seed) request.set_seed(*options.seed);
  Assign(options.observations, request.mutable_outputs());
  request.set_stride(options.stride);
  if (options.sampler_calls > 0) request.set_sampler_calls(options.sampler_calls);
  request.set_sampler_kind(ToProto(options.sampler));
  if (options.camera) *request.mutable_camera() = ToProto(*options.camera);
  return request;
}

// request_id: empty where the session keeps no replies.
v1::ForkReply CallFork(internal::Wire& wire, const std::string& id, const ForkOptions& options,
                       bool into_same_session, std::string request_id, Repeat repeat) {
  v1::ForkRequest request;
  request.set_session_id(id);
  Assign(options.env_ids, request.mutable_env_ids());
  request.set_count(options.count);
  request.set_seed_mode(static_cast<v1::ForkRequest::SeedMode>(options.seed));
  request.set_into_same_session(into_same_session);
  request.mutable_context()->set_request_id(std::move(request_id));
  return wire.Call<v1::ForkReply>(wire.simulator(), &v1::Simulator::Stub::Fork, request,
                                  options.timeout, repeat);
}

StateRef Export(internal::Wire& wire, const std::string& id, uint32_t env_id, bool keep_on_server) {
  v1::ExportStateRequest request;
  request.set_session_id(id);
  request.set_env_id(env_id);
  request.set_keep_on_server(keep_on_server);
  const auto reply = wire.Call<v1::ExportStateReply>(
      wire.simulator(), &v1::Simulator::Stub::ExportState, request, milliseconds(0),
      keep_on_server ? Repeat::kOnlyIfRefused : Repeat::kSafe);
  return FromProto(reply.state());
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
const ModelRef& Session::model() const {
  RequireOpen(state_.get());
  return state_->model;
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
  ResetResult result = FromProto(&reply);
  // A server without states to start from does not tell.
  if (result.step_index.empty()) {
    result.step_index.resize(options.env_ids.empty() ? num_envs() : options.env_ids.size(), 0);
  }
  state_->Note(options.env_ids, result.step_index);
  return result;
}

StepResult Session::Step(const Tensor& actions, const StepOptions& options) {
  static_cast<void>(id());  // throws when the session is closed
  v1::StepRequest request = state_->StepOf(actions, options);
  auto reply = wire_->Call<v1::StepReply>(wire_->simulator(), &v1::Simulator::Stub::Step, request,
                                          options.timeout, state_->repeat());
  StepResult result = FromProto(&reply);
  state_->Note(options.env_ids, result.step_index);
  return result;
}

Images Session::Render(const RenderOptions& options) {
  v1::RenderRequest request;
  if (options.state) {
    *request.mutable_state() = ToProto(*options.state);
  } else {
    request.set_session_id(id());
  }
  Assign(options.env_ids, request.mutable_env_ids());
  for (const Camera& camera : options.cameras) *request.add_cameras() = ToProto(camera);
  for (RenderOutput output : options.outputs) request.add_outputs(ToProto(output));
  request.set_rgb_dtype(options.rgb_f32 ? v1::DTYPE_F32 : v1::DTYPE_U8);
  auto reply = wire_->Call<v1::RenderReply>(wire_->simulator(), &v1::Simulator::Stub::Render,
                                            request, options.timeout, Repeat::kSafe);
  return FromProto(reply.mutable_images());
}

PlanResult Session::Plan(const Tensor& actions, const PlanOptions& options) {
  v1::PlanRequest request;
  if (options.state) {
    *request.mutable_state() = ToProto(*options.state);
  } else {
    request.set_session_id(id());
    request.set_env_id(options.env_id);
  }
  *request.mutable_actions() = ToProto(actions);
  request.set_discount(options.discount);
  if (options.sampler_calls > 0) request.set_sampler_calls(options.sampler_calls);
  request.set_sampler_kind(ToProto(options.sampler));
  auto reply = wire_->Call<v1::PlanReply>(wire_->simulator(), &v1::Simulator::Stub::Plan, request,
                                          options.timeout, Repeat::kSafe);
  return FromProto(&reply);
}

ObserveResult Session::Observe(const Frames& frames, const ObserveOptions& options) {
  v1::ObserveRequest request;
  request.set_session_id(id());
  Assign(options.env_ids, request.mutable_env_ids());
  *request.mutable_frames() = ToProto(frames);
  request.set_re_anchor(options.re_anchor);
  Assign(options.observations, request.mutable_observations());
  if (options.re_anchor) request.mutable_context()->set_request_id(state_->NextRequestId());
  auto reply = wire_->Call<v1::ObserveReply>(wire_->simulator(), &v1::Simulator::Stub::Observe,
                                             request, options.timeout,
                                             options.re_anchor ? state_->repeat() : Repeat::kSafe);
  return FromProto(&reply);
}

Session Session::Fork(const ForkOptions& options) {
  const v1::ForkReply reply =
      CallFork(*wire_, id(), options, false, state_->NextRequestId(), state_->repeat());
  return Session(wire_, std::make_unique<State>(reply.session()));
}

std::vector<uint32_t> Session::ForkHere(const ForkOptions& options) {
  const v1::ForkReply reply =
      CallFork(*wire_, id(), options, true, state_->NextRequestId(), state_->repeat());
  std::vector<uint64_t> steps;
  for (uint32_t env : reply.env_ids()) {
    const bool there = env < static_cast<uint32_t>(reply.session().envs_size());
    steps.push_back(there ? reply.session().envs(static_cast<int>(env)).step_index() : 0);
  }
  state_->Grow(steps);
  return internal::ToVector<uint32_t>(reply.env_ids());
}

StateRef Session::ExportState(uint32_t env_id) { return Export(*wire_, id(), env_id, false); }
StateRef Session::KeepState(uint32_t env_id) { return Export(*wire_, id(), env_id, true); }

StateRef Session::ImportState(const std::string& blob) {
  v1::ImportStateRequest request;
  request.set_session_id(id());
  request.set_blob(blob);
  auto reply =
      wire_->Call<v1::ImportStateReply>(wire_->simulator(), &v1::Simulator::Stub::ImportState,
                                        request, milliseconds(0), Repeat::kOnlyIfRefused);
  return {.blob = {}, .state_id = std::move(*reply.mutable_state_id())};
}

void Session::DropState(const StateRef& state) {
  v1::DropStateRequest request;
  request.set_state_id(state.state_id);
  wire_->Call<v1::DropStateReply>(wire_->simulator(), &v1::Simulator::Stub::DropState, request,
                                  milliseconds(0), Repeat::kSafe);
}

void Session::Imagine(const Tensor& actions, const ImagineOptions& options,
                      const std::function<bool(const ImagineChunk&)>& on_chunk) {
  auto request = MakeImagineRequest(id(), actions, options);
  wire_->SetPriority(request);
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
