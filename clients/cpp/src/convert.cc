#include "clients/cpp/src/convert.h"

#include <algorithm>
#include <utility>

namespace gwm::client::internal {
namespace {

double Milliseconds(const google::protobuf::Duration& duration) {
  return 1e3 * static_cast<double>(duration.seconds()) + 1e-6 * duration.nanos();
}

std::vector<bool> Bools(v1::Tensor* proto) {
  const Tensor tensor = FromProto(proto);
  if (tensor.dtype == DType::kNone) return {};
  const auto values = tensor.values<bool>();
  return {values.begin(), values.end()};
}

Camera CameraFromProto(const v1::Camera& proto) {
  Camera camera{.width = proto.width(), .height = proto.height()};
  std::copy_n(proto.intrinsics().begin(), std::min(9, proto.intrinsics_size()),
              camera.intrinsics.begin());
  std::copy_n(proto.world_from_cam().begin(), std::min(16, proto.world_from_cam_size()),
              camera.world_from_cam.begin());
  return camera;
}

std::vector<TruncationReason> TruncationReasons(const google::protobuf::RepeatedField<int>& rows) {
  std::vector<TruncationReason> reasons;
  for (int reason : rows) reasons.push_back(static_cast<TruncationReason>(reason));
  return reasons;
}

}  // namespace

v1::Tensor ToProto(const Tensor& tensor) {
  v1::Tensor proto;
  proto.set_dtype(static_cast<v1::DType>(tensor.dtype));
  Assign(tensor.shape, proto.mutable_shape());
  proto.set_data(tensor.data);
  return proto;
}

v1::Camera ToProto(const Camera& camera) {
  v1::Camera proto;
  proto.mutable_intrinsics()->Add(camera.intrinsics.begin(), camera.intrinsics.end());
  proto.mutable_world_from_cam()->Add(camera.world_from_cam.begin(), camera.world_from_cam.end());
  proto.set_width(camera.width);
  proto.set_height(camera.height);
  return proto;
}

v1::RgbdFrames ToProto(const Frames& frames) {
  v1::RgbdFrames proto;
  *proto.mutable_rgb() = ToProto(frames.rgb);
  *proto.mutable_depth_mm() = ToProto(frames.depth_mm);
  *proto.mutable_intrinsics() = ToProto(frames.intrinsics);
  *proto.mutable_world_from_cam() = ToProto(frames.world_from_cam);
  if (frames.actions) *proto.mutable_actions() = ToProto(*frames.actions);
  return proto;
}

google::protobuf::Duration ToProto(std::chrono::milliseconds duration) {
  google::protobuf::Duration proto;
  proto.set_seconds(duration.count() / 1000);
  proto.set_nanos(static_cast<int32_t>(duration.count() % 1000) * 1'000'000);
  return proto;
}

v1::SamplerKind ToProto(Sampler sampler) {
  switch (sampler) {
    case Sampler::kDefault:
      return v1::SAMPLER_KIND_UNSPECIFIED;
    case Sampler::kEuler:
      return v1::SAMPLER_KIND_EULER;
    case Sampler::kHeun:
      return v1::SAMPLER_KIND_HEUN;
  }
  return v1::SAMPLER_KIND_UNSPECIFIED;
}

v1::RenderOutput ToProto(RenderOutput output) { return static_cast<v1::RenderOutput>(output); }

Tensor FromProto(v1::Tensor* proto) {
  Tensor tensor{static_cast<DType>(proto->dtype()), ToVector<int64_t>(proto->shape()),
                std::move(*proto->mutable_data())};
  const bool absent = tensor.dtype == DType::kNone && tensor.shape.empty() && tensor.data.empty();
  const bool dims_valid =
      std::all_of(tensor.shape.begin(), tensor.shape.end(), [](int64_t dim) { return dim >= 0; });
  const size_t bytes = static_cast<size_t>(tensor.elements()) * ElementBytes(tensor.dtype);
  if (!absent && (!dims_valid || ElementBytes(tensor.dtype) == 0 || bytes != tensor.data.size())) {
    throw Error({.code = Code::kInternal,
                 .reason = "BAD_REPLY",
                 .message = "the server sent a tensor whose bytes do not fit its shape"});
  }
  return tensor;
}

std::map<std::string, Tensor> FromProto(google::protobuf::Map<std::string, v1::Tensor>* tensors) {
  std::map<std::string, Tensor> result;
  for (auto& [name, tensor] : *tensors) result.emplace(name, FromProto(&tensor));
  return result;
}

StepTiming FromProto(const v1::StepTiming& timing) {
  return {.queue_ms = Milliseconds(timing.queue()),
          .device_ms = Milliseconds(timing.gpu()),
          .batch_rows = timing.batch_size(),
          .sampler_calls = timing.sampler_calls(),
          .encode_ms = Milliseconds(timing.encode()),
          .dynamics_ms = Milliseconds(timing.dynamics()),
          .reward_ms = Milliseconds(timing.reward()),
          .render_ms = Milliseconds(timing.render()),
          .pack_ms = Milliseconds(timing.pack()),
          .total_ms = Milliseconds(timing.total())};
}

std::vector<float> FloatsFromProto(v1::Tensor* proto) {
  const Tensor tensor = FromProto(proto);
  if (tensor.dtype == DType::kNone) return {};
  const auto values = tensor.values<float>();
  return {values.begin(), values.end()};
}

Field FromProto(const v1::FieldSpec& proto) {
  return {.name = proto.name(),
          .dtype = static_cast<DType>(proto.dtype()),
          .shape = ToVector<int64_t>(proto.shape()),
          .min = proto.min(),
          .max = proto.max()};
}

std::vector<RowStatus> FromProto(const google::protobuf::RepeatedPtrField<v1::RowStatus>& rows) {
  std::vector<RowStatus> statuses;
  for (const v1::RowStatus& row : rows) {
    statuses.push_back({static_cast<Code>(row.code()), row.reason(), row.message()});
  }
  return statuses;
}

GaussianCloud FromProto(v1::GaussianCloud* cloud) {
  return {FromProto(cloud->mutable_means()), FromProto(cloud->mutable_log_scales()),
          FromProto(cloud->mutable_quats()), FromProto(cloud->mutable_sh()),
          FromProto(cloud->mutable_opacity_logits())};
}

Images FromProto(v1::RenderedImages* proto) {
  Images images{FromProto(proto->mutable_rgb()),
                FromProto(proto->mutable_depth()),
                FromProto(proto->mutable_alpha()),
                {}};
  for (v1::GaussianCloud& cloud : *proto->mutable_gaussians()) {
    images.gaussians.push_back(FromProto(&cloud));
  }
  return images;
}

Spec FromProto(const v1::SimulatorSpec& proto) {
  Spec spec{.model_id = proto.model_id(),
            .checkpoint_digest = proto.checkpoint_digest(),
            .contract_version = proto.contract_version(),
            .device = proto.device(),
            .precision = proto.precision(),
            .rpcs = ToVector<std::string>(proto.rpcs()),
            .inits = ToVector<std::string>(proto.inits()),
            .tasks = ToVector<std::string>(proto.tasks()),
            .horizon = proto.horizon(),
            .min_sampler_calls = proto.sampler().min_calls(),
            .max_sampler_calls = proto.sampler().max_calls(),
            .default_sampler_calls = proto.sampler().default_calls(),
            .reset_pool_size = proto.reset_pool_size(),
            .context_frames = proto.context_frames(),
            .views = proto.views(),
            .height = proto.height(),
            .width = proto.width(),
            .control_dt_s = proto.control_dt_s(),
            .state_bytes_per_env = proto.state_bytes_per_env(),
            .gaussians = proto.gaussians(),
            .replays_calls = proto.replays_calls(),
            .tells_expected_error = proto.tells_expected_error()};
  if (proto.actions_size() > 0) spec.action = FromProto(proto.actions(0));
  for (const auto& field : proto.observations()) spec.observations.push_back(FromProto(field));
  for (const auto& camera : proto.cameras()) spec.cameras.push_back(CameraFromProto(camera));
  return spec;
}

Model FromProto(const v1::Model& proto) {
  return {
      .model_id = proto.model_id(),
      .checkpoint_digest = proto.checkpoint_digest(),
      .checkpoint = proto.checkpoint(),
      .state = static_cast<Model::State>(proto.state()),
      .is_default = proto.is_default(),
      .sessions = proto.sessions(),
      .state_bytes = proto.state_bytes(),
      .state_pool_bytes = proto.state_pool_bytes(),
      .checkpoint_bytes = proto.checkpoint_bytes(),
      .load_time = std::chrono::milliseconds(static_cast<int64_t>(Milliseconds(proto.load_time()))),
      .error = proto.error(),
      .device = proto.device()};
}

WarmUpTimes FromProto(const v1::WarmUpReply& proto) {
  const auto us = [](const google::protobuf::Duration& time) {
    return std::chrono::microseconds(static_cast<int64_t>(1000 * Milliseconds(time)));
  };
  return {us(proto.reset()), us(proto.step()), us(proto.render())};
}

ServerInfo FromProto(const v1::ServerInfo& proto) {
  return {.instance_id = proto.server_instance_id(),
          .version = proto.version(),
          .model_id = proto.model_id(),
          .checkpoint_digest = proto.checkpoint_digest(),
          .device = proto.device(),
          .rpcs = ToVector<std::string>(proto.rpcs()),
          .sessions = proto.sessions(),
          .envs = proto.envs()};
}

Limits FromProto(const v1::Limits& proto) {
  return {.max_message_bytes = proto.max_message_bytes(),
          .max_sessions = proto.max_sessions(),
          .max_envs_per_session = proto.max_envs_per_session(),
          .max_envs = proto.max_envs(),
          .max_image_side = proto.max_image_side(),
          .max_pixels_per_render = proto.max_pixels_per_render(),
          .max_imagine_steps = proto.max_imagine_steps(),
          .max_imagine_branches = proto.max_imagine_branches(),
          .max_perception_rows = proto.max_perception_rows(),
          .max_sampled_gaussians = proto.max_sampled_gaussians(),
          .max_replay_bytes = proto.max_replay_bytes(),
          .max_call_time =
              std::chrono::milliseconds(static_cast<int64_t>(Milliseconds(proto.max_call_time())))};
}

v1::StateRef ToProto(const StateRef& state) {
  v1::StateRef proto;
  if (state.state_id.empty()) {
    proto.set_blob(state.blob);
  } else {
    proto.set_state_id(state.state_id);
  }
  return proto;
}

StateRef FromProto(const v1::StateRef& state) {
  return {.blob = state.blob(), .state_id = state.state_id()};
}

ResetResult FromProto(v1::ResetReply* reply) {
  return {.observations = FromProto(reply->mutable_observations()),
          .pool_indices = ToVector<uint32_t>(reply->pool_indices()),
          .episode = ToVector<uint64_t>(reply->episode()),
          .step_index = ToVector<uint64_t>(reply->step_index()),
          .intrinsics = FromProto(reply->mutable_intrinsics()),
          .world_from_cam = FromProto(reply->mutable_world_from_cam()),
          .replayed = reply->replayed()};
}

StepResult FromProto(v1::StepReply* reply) {
  return {.reward = FloatsFromProto(reply->mutable_reward()),
          .terminated = Bools(reply->mutable_terminated()),
          .truncated = Bools(reply->mutable_truncated()),
          .success = Bools(reply->mutable_success()),
          .success_probability = FloatsFromProto(reply->mutable_success_probability()),
          .expected_error = FloatsFromProto(reply->mutable_expected_error()),
          .truncation_reason = TruncationReasons(reply->truncation_reason()),
          .step_index = ToVector<uint64_t>(reply->step_index()),
          .reset = Bools(reply->mutable_reset()),
          .episode = ToVector<uint64_t>(reply->episode()),
          .row_status = FromProto(reply->row_status()),
          .observations = FromProto(reply->mutable_observations()),
          .final_rows = {.rows = ToVector<uint32_t>(reply->final().rows()),
                         .step_index = ToVector<uint64_t>(reply->final().step_index()),
                         .observations = FromProto(reply->mutable_final()->mutable_observations())},
          .timing = FromProto(reply->timing()),
          .replayed = reply->replayed()};
}

PlanResult FromProto(v1::PlanReply* reply) {
  return {.returns = FloatsFromProto(reply->mutable_returns()),
          .best = reply->best(),
          .best_actions = FromProto(reply->mutable_best_actions()),
          .terminated = Bools(reply->mutable_terminated()),
          .success = Bools(reply->mutable_success()),
          .expected_error = FloatsFromProto(reply->mutable_expected_error()),
          .row_status = FromProto(reply->row_status())};
}

ObserveResult FromProto(v1::ObserveReply* reply) {
  return {.latent_error = FloatsFromProto(reply->mutable_latent_error()),
          .psnr_db = FloatsFromProto(reply->mutable_psnr_db()),
          .episode = ToVector<uint64_t>(reply->episode()),
          .step_index = ToVector<uint64_t>(reply->step_index()),
          .observations = FromProto(reply->mutable_observations()),
          .replayed = reply->replayed()};
}

ImagineChunk FromProto(v1::ImagineChunk* chunk) {
  std::vector<StateRef> final_states;
  for (const v1::StateRef& state : chunk->final_states()) {
    final_states.push_back(FromProto(state));
  }
  return {.t = chunk->t(),
          .reward = FromProto(chunk->mutable_reward()),
          .terminated = FromProto(chunk->mutable_terminated()),
          .success = FromProto(chunk->mutable_success()),
          .expected_error = FromProto(chunk->mutable_expected_error()),
          .done = FromProto(chunk->mutable_done()),
          .observations = FromProto(chunk->mutable_observations()),
          .row_status = FromProto(chunk->row_status()),
          .final_states = std::move(final_states)};
}

}  // namespace gwm::client::internal
