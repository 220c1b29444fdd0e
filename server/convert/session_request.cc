#include "server/convert/session_request.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/io/sha256.h"
#include "server/base/error.h"
#include "server/base/status.h"
#include "server/convert/call_context.h"
#include "server/convert/duration.h"
#include "server/convert/observation_names.h"
#include "server/convert/sampler.h"
#include "server/convert/scene.h"
#include "server/convert/tensor.h"

namespace gwm::server {
namespace {

absl::StatusOr<absl::Duration> ParseIdleTtl(const v1::CreateSessionRequest& request,
                                            const Limits& limits) {
  if (!request.has_idle_ttl()) return limits.default_idle_ttl;
  const auto ttl = FromProto(request.idle_ttl());
  if (!ttl.has_value() || *ttl < limits.min_idle_ttl || *ttl > limits.max_idle_ttl) {
    return BadField("idle_ttl",
                    absl::StrCat(ttl.has_value() ? absl::FormatDuration(*ttl) : "not a duration",
                                 "; ", absl::FormatDuration(limits.min_idle_ttl), " to ",
                                 absl::FormatDuration(limits.max_idle_ttl), " is allowed"));
  }
  return *ttl;
}

absl::StatusOr<absl::Duration> ParseMaxLifetime(const v1::CreateSessionRequest& request,
                                                const Limits& limits) {
  if (!request.has_max_lifetime()) return limits.max_lifetime;
  const auto lifetime = FromProto(request.max_lifetime());
  if (lifetime.has_value() && *lifetime == absl::ZeroDuration()) return limits.max_lifetime;
  if (!lifetime.has_value() || *lifetime < absl::ZeroDuration() ||
      *lifetime > limits.max_lifetime) {
    return BadField("max_lifetime", absl::StrCat("0 to ", absl::FormatDuration(limits.max_lifetime),
                                                 " is allowed"));
  }
  return *lifetime;
}

absl::StatusOr<AutoReset> ParseAutoReset(int mode, const WorldSpec& spec) {
  if (mode == v1::AUTO_RESET_UNSPECIFIED || mode == v1::AUTO_RESET_NONE) return AutoReset::kNone;
  if (spec.reset_pool_size == 0) {
    return BadField("auto_reset",
                    "AUTO_RESET_NONE is allowed: this model ships no reset pool to start from");
  }
  if (mode == v1::AUTO_RESET_NEXT_STEP) return AutoReset::kNextStep;
  if (mode == v1::AUTO_RESET_SAME_STEP) return AutoReset::kSameStep;
  return BadField("auto_reset",
                  absl::StrCat(mode, "; SimulatorSpec.auto_resets lists what is allowed"));
}

absl::StatusOr<float> ParseMaxExpectedError(float bound, const WorldSpec& spec) {
  if (!std::isfinite(bound) || bound < 0) {
    return BadField("max_expected_error",
                    absl::StrCat(bound, "; a finite number, 0 (never) or more, is allowed"));
  }
  if (bound > 0 && !spec.tells_expected_error) {
    return Unsupported("max_expected_error", "this model has no error head; 0 is allowed");
  }
  return bound;
}

absl::StatusOr<std::optional<Camera>> ParseOptionalCamera(bool present, const v1::Camera& camera,
                                                          const Limits& limits) {
  if (!present) return std::optional<Camera>();
  ASSIGN_OR_RETURN(Camera parsed, ParseCamera(camera, "camera", limits));
  return std::optional<Camera>(parsed);
}

// Pixels that `rows` observations take.
absl::Status CheckObservedPixels(ObservationSet set, size_t rows,
                                 const std::optional<Camera>& camera, const WorldSpec& spec,
                                 const Limits& limits) {
  if ((set & (kObserveRgb | kObserveDepth)) == 0) return absl::OkStatus();
  return CheckPixels(rows, camera.has_value() ? std::vector{*camera} : std::vector<Camera>(), spec,
                     limits);
}

absl::StatusOr<ObservationSet> ObservationsOr(
    const google::protobuf::RepeatedPtrField<std::string>& names, ObservationSet fallback) {
  if (names.empty()) return fallback;
  return ParseObservations(names, "observations");
}

absl::StatusOr<std::span<const float>> ParseActions(const v1::Tensor& tensor,
                                                    std::vector<int64_t> shape,
                                                    const std::string& letters,
                                                    const WorldSpec& spec) {
  ASSIGN_OR_RETURN(const TensorView actions,
                   ParseTensor(tensor, {"actions", DType::kF32, std::move(shape), letters}));
  RETURN_IF_ERROR(CheckRange(actions, "actions", spec.action_min, spec.action_max));
  return actions.values<float>();
}

absl::Status CheckPoolIndices(const v1::ResetRequest& request, size_t n, const WorldSpec& spec) {
  if (request.init_case() != v1::ResetRequest::INIT_NOT_SET) {
    if (request.pool_indices().empty()) return absl::OkStatus();
    return BadField("pool_indices", "only allowed without an init");
  }
  if (spec.reset_pool_size == 0) {
    return BadField("init", "missing; this model ships no reset pool");
  }
  if (!request.pool_indices().empty() && request.pool_indices().size() != static_cast<int>(n)) {
    return BadField("pool_indices", absl::StrCat(request.pool_indices().size(),
                                                 " entries; none or ", n, " are allowed"));
  }
  for (int i = 0; i < request.pool_indices().size(); ++i) {
    if (request.pool_indices(i) < static_cast<uint32_t>(spec.reset_pool_size)) continue;
    return BadField(
        absl::StrCat("pool_indices[", i, "]"),
        absl::StrCat(request.pool_indices(i), "; 0 to ", spec.reset_pool_size - 1, " is allowed"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<SessionConfig> ParseCreateSession(const v1::CreateSessionRequest& request,
                                                 WorldHandle world, const Limits& limits,
                                                 uint64_t random_seed) {
  const WorldSpec& spec = world->spec();
  SessionConfig config;
  ASSIGN_OR_RETURN(config.auto_reset, ParseAutoReset(request.auto_reset(), spec));
  config.num_envs = std::max<uint32_t>(request.num_envs(), 1);
  if (config.num_envs > limits.max_envs_per_session) {
    return BeyondLimit("num_envs",
                       absl::StrCat(config.num_envs, " environments; up to max_envs_per_session = ",
                                    limits.max_envs_per_session, " are allowed"));
  }
  config.seed = request.has_seed() ? request.seed() : random_seed;
  ASSIGN_OR_RETURN(
      config.sampler,
      ParseSampler(request.sampler().calls(), request.sampler().kind(), DefaultSampler(spec), spec,
                   {.calls = "sampler.calls", .kind = "sampler.kind"}));
  ASSIGN_OR_RETURN(config.observations, ParseObservations(request.observations(), "observations"));
  ASSIGN_OR_RETURN(config.idle_ttl, ParseIdleTtl(request, limits));
  ASSIGN_OR_RETURN(config.max_lifetime, ParseMaxLifetime(request, limits));
  config.max_episode_steps = request.max_episode_steps();
  ASSIGN_OR_RETURN(config.max_expected_error,
                   ParseMaxExpectedError(request.max_expected_error(), spec));
  config.max_replay_bytes = limits.max_replay_bytes;
  RETURN_IF_ERROR(CheckName(request.context().client_id(), "context.client_id"));
  config.client_id = request.context().client_id();
  ASSIGN_OR_RETURN(config.creation, ParseReplayKey(request.context(), request));
  config.evictable = request.evictable();
  config.spillable = request.spillable();
  RETURN_IF_ERROR(
      CheckObservedPixels(config.observations, config.num_envs, std::nullopt, spec, limits));
  config.world = std::move(world);
  return config;
}

absl::StatusOr<ListArgs> ParseListSessions(const v1::ListSessionsRequest& request,
                                           const Limits& limits) {
  if (request.context().client_id().empty()) {
    return BadField("context.client_id", "missing; the sessions of one client are listed");
  }
  RETURN_IF_ERROR(CheckName(request.context().client_id(), "context.client_id"));
  if (request.page_size() > limits.max_list_page) {
    return BeyondLimit("page_size", absl::StrCat(request.page_size(), "; up to max_list_page = ",
                                                 limits.max_list_page, " are allowed"));
  }
  return ListArgs{
      .client_id = request.context().client_id(),
      .after = request.page_token(),
      .page_size = request.page_size() == 0 ? limits.max_list_page : request.page_size()};
}

absl::StatusOr<std::vector<uint32_t>> ParseEnvIds(
    const google::protobuf::RepeatedField<uint32_t>& env_ids, uint32_t num_envs) {
  std::vector<uint32_t> ids(env_ids.begin(), env_ids.end());
  if (ids.empty()) {
    for (uint32_t id = 0; id < num_envs; ++id) ids.push_back(id);
    return ids;
  }
  std::vector<bool> seen(num_envs);
  for (size_t i = 0; i < ids.size(); ++i) {
    const std::string field = absl::StrCat("env_ids[", i, "]");
    if (ids[i] >= num_envs) {
      return BadField(field, absl::StrCat(ids[i], "; 0 to ", num_envs - 1, " is allowed"));
    }
    if (seen[ids[i]]) return BadField(field, absl::StrCat(ids[i], " is named twice"));
    seen[ids[i]] = true;
  }
  return ids;
}

absl::StatusOr<std::vector<uint32_t>> ParseResetIds(const v1::ResetRequest& request,
                                                    uint32_t num_envs) {
  if (!request.has_reset_mask()) return ParseEnvIds(request.env_ids(), num_envs);
  if (!request.env_ids().empty()) return BadField("reset_mask", "only allowed without env_ids");
  ASSIGN_OR_RETURN(
      const TensorView mask,
      ParseTensor(request.reset_mask(),
                  {"reset_mask", DType::kBool, {static_cast<int64_t>(num_envs)}, "[num_envs]"}));
  std::vector<uint32_t> ids;
  for (uint32_t id = 0; id < num_envs; ++id) {
    if (mask.values<uint8_t>()[id] != 0) ids.push_back(id);
  }
  if (ids.empty())
    return BadTensor("reset_mask", "all false; at least one environment is to be named");
  return ids;
}

absl::StatusOr<std::optional<ReplayKey>> ParseReplayKey(const v1::RequestContext& context,
                                                        const google::protobuf::Message& request) {
  const std::string& id = context.request_id();
  if (id.empty()) return std::optional<ReplayKey>();
  RETURN_IF_ERROR(CheckName(id, "context.request_id"));
  // The type is part of it: requests of two RPCs may have the same bytes.
  const std::string bytes = request.GetTypeName() + '\n' + request.SerializeAsString();
  return std::optional<ReplayKey>({.request_id = id, .fingerprint = io::Sha256Hex(bytes)});
}

absl::StatusOr<ResetArgs> ParseReset(const v1::ResetRequest& request, const SessionConfig& config,
                                     size_t n, const WorldSpec& spec) {
  ResetArgs args;
  if (request.has_seed()) args.seed = request.seed();
  ASSIGN_OR_RETURN(args.observations, ObservationsOr(request.observations(), config.observations));
  RETURN_IF_ERROR(CheckPoolIndices(request, n, spec));
  args.pool_indices.assign(request.pool_indices().begin(), request.pool_indices().end());
  ASSIGN_OR_RETURN(args.replay, ParseReplayKey(request.context(), request));
  if (request.has_frames()) {
    ASSIGN_OR_RETURN(args.frames, ParseFrames(request.frames(), "frames", spec));
    const size_t rows = args.frames->rows.size();
    if (rows != 1 && rows != n) {
      return BadTensor("frames.rgb", absl::StrCat("n = ", rows, " worlds; 1 or ", n,
                                                  " (the environments named) are allowed"));
    }
  }
  return args;
}

absl::StatusOr<StepArgs> ParseStep(const v1::StepRequest& request, const SessionConfig& config,
                                   size_t n, const WorldSpec& spec, const Limits& limits) {
  StepArgs args;
  ASSIGN_OR_RETURN(
      args.actions,
      ParseActions(request.actions(), {static_cast<int64_t>(n), spec.action_dim}, "[n, A]", spec));
  ASSIGN_OR_RETURN(args.observations, ObservationsOr(request.observations(), config.observations));
  ASSIGN_OR_RETURN(args.sampler, ParseSampler(request.sampler_calls(), request.sampler_kind(),
                                              config.sampler, spec));
  ASSIGN_OR_RETURN(args.camera,
                   ParseOptionalCamera(request.has_camera(), request.camera(), limits));
  RETURN_IF_ERROR(CheckObservedPixels(args.observations, n, args.camera, spec, limits));
  if (request.expected_step_size() != 0 && request.expected_step_size() != static_cast<int>(n)) {
    return BadField("expected_step", absl::StrCat(request.expected_step_size(),
                                                  " entries; none or ", n, " are allowed"));
  }
  args.expected_step.assign(request.expected_step().begin(), request.expected_step().end());
  ASSIGN_OR_RETURN(args.replay, ParseReplayKey(request.context(), request));
  return args;
}

absl::StatusOr<CompareArgs> ParseObserve(const v1::ObserveRequest& request, size_t n,
                                         const WorldSpec& spec, const Limits& limits) {
  CompareArgs args;
  ASSIGN_OR_RETURN(args.frames, ParseFrames(request.frames(), "frames", spec));
  if (args.frames.rows.size() != n) {
    return BadTensor("frames.rgb", absl::StrCat("n = ", args.frames.rows.size(), " worlds; ", n,
                                                " (the environments named) are allowed"));
  }
  ASSIGN_OR_RETURN(args.observations, ParseObservations(request.observations(), "observations"));
  RETURN_IF_ERROR(CheckObservedPixels(args.observations, n, std::nullopt, spec, limits));
  args.re_anchor = request.re_anchor();
  if (!args.re_anchor) return args;
  ASSIGN_OR_RETURN(args.replay, ParseReplayKey(request.context(), request));
  return args;
}

absl::StatusOr<RenderArgs> ParseRender(const v1::RenderRequest& request, size_t n,
                                       const WorldSpec& spec, const Limits& limits) {
  RenderArgs args;
  ASSIGN_OR_RETURN(args.cameras, ParseCameras(request.cameras(), "cameras", limits));
  ASSIGN_OR_RETURN(args.options, ParseImageOptions(request.outputs(), request.rgb_dtype()));
  RETURN_IF_ERROR(CheckPixels(n, args.cameras, spec, limits));
  return args;
}

absl::StatusOr<ImagineArgs> ParseImagine(const v1::ImagineRequest& request,
                                         const StepOptions& sampler, const WorldSpec& spec,
                                         const Limits& limits) {
  ImagineArgs args;
  ASSIGN_OR_RETURN(
      args.actions,
      ParseActions(request.actions(), {kAnySize, kAnySize, spec.action_dim}, "[B, T, A]", spec));
  const int64_t rows = request.actions().shape(0);
  const int64_t steps = request.actions().shape(1);
  if (steps > limits.max_imagine_steps) {
    return BeyondLimit("actions", absl::StrCat("T = ", steps, " steps; up to max_imagine_steps = ",
                                               limits.max_imagine_steps, " are allowed"));
  }
  const int64_t branches = request.branches() == 0 ? rows : request.branches();
  if (rows > limits.max_imagine_branches || branches > limits.max_imagine_branches) {
    return BeyondLimit("branches", absl::StrCat(std::max(rows, branches),
                                                " branches; up to max_imagine_branches = ",
                                                limits.max_imagine_branches, " are allowed"));
  }
  if (rows != 1 && rows != branches) {
    return BadTensor(
        "actions", absl::StrCat("B = ", rows, " rows; 1 or branches = ", branches, " are allowed"));
  }
  args.action_rows = static_cast<uint32_t>(rows);
  args.steps = static_cast<uint32_t>(steps);
  args.branches = static_cast<uint32_t>(branches);
  if (request.has_seed()) args.seed = request.seed();
  args.stride = std::max<uint32_t>(request.stride(), 1);
  args.final_states = request.return_final_state();
  ASSIGN_OR_RETURN(args.outputs, ParseObservations(request.outputs(), "outputs"));
  ASSIGN_OR_RETURN(args.sampler,
                   ParseSampler(request.sampler_calls(), request.sampler_kind(), sampler, spec));
  ASSIGN_OR_RETURN(args.camera,
                   ParseOptionalCamera(request.has_camera(), request.camera(), limits));
  RETURN_IF_ERROR(CheckObservedPixels(args.outputs, args.branches, args.camera, spec, limits));
  return args;
}

absl::StatusOr<PlanArgs> ParsePlan(const v1::PlanRequest& request, const StepOptions& sampler,
                                   const WorldSpec& spec, const Limits& limits) {
  PlanArgs args;
  ASSIGN_OR_RETURN(
      args.rollout.actions,
      ParseActions(request.actions(), {kAnySize, kAnySize, spec.action_dim}, "[K, H, A]", spec));
  const int64_t sequences = request.actions().shape(0);
  const int64_t steps = request.actions().shape(1);
  if (sequences > limits.max_imagine_branches || steps > limits.max_imagine_steps) {
    return BeyondLimit("actions", absl::StrCat("K = ", sequences, ", H = ", steps, "; up to ",
                                               limits.max_imagine_branches, " sequences of ",
                                               limits.max_imagine_steps, " steps are allowed"));
  }
  if (request.discount() != 0) args.discount = request.discount();
  if (!(args.discount > 0 && args.discount <= 1)) {
    return BadField("discount", absl::StrCat(request.discount(), "; above 0, up to 1 is allowed"));
  }
  args.rollout.action_rows = args.rollout.branches = static_cast<uint32_t>(sequences);
  args.rollout.steps = args.rollout.stride = static_cast<uint32_t>(steps);
  args.rollout.common_noise = true;
  ASSIGN_OR_RETURN(args.rollout.sampler,
                   ParseSampler(request.sampler_calls(), request.sampler_kind(), sampler, spec));
  return args;
}

}  // namespace gwm::server
