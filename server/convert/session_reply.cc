#include "server/convert/session_reply.h"

#include <utility>
#include <vector>

#include "server/base/grpc_status.h"
#include "server/base/status.h"
#include "server/convert/duration.h"
#include "server/convert/latency.h"
#include "server/convert/observation_names.h"
#include "server/convert/sampler.h"
#include "server/convert/state_message.h"
#include "server/convert/tensor.h"
#include "server/session/room.h"

namespace gwm::server {
namespace {

using TensorMap = google::protobuf::Map<std::string, v1::Tensor>;

void FillObservations(Observations&& observations, TensorMap& out) {
  for (auto& [name, tensor] : observations) out[name] = ToProto(std::move(tensor));
}

void FillTiming(const RunTiming& timing, absl::Duration busy, v1::StepTiming& out) {
  *out.mutable_gpu() = ToProto(busy);
  out.set_batch_size(timing.batch_rows);
  out.set_sampler_calls(timing.sampler_calls);
}

template <typename Rows>
void FillRowStatus(const Rows& rows, google::protobuf::RepeatedPtrField<v1::RowStatus>& out) {
  for (const absl::Status& status : rows) {
    v1::RowStatus& row = *out.Add();
    if (status.ok()) continue;
    const grpc::Status wire = ToGrpcStatus(status);
    row.set_code(wire.error_code());
    row.set_reason(ReasonOf(status));
    row.set_message(wire.error_message());
  }
}

v1::AutoReset AutoResetToProto(AutoReset mode) {
  switch (mode) {
    case AutoReset::kNone:
      return v1::AUTO_RESET_NONE;
    case AutoReset::kNextStep:
      return v1::AUTO_RESET_NEXT_STEP;
    case AutoReset::kSameStep:
      return v1::AUTO_RESET_SAME_STEP;
  }
  return v1::AUTO_RESET_UNSPECIFIED;
}

v1::TruncationReason TruncationToProto(Truncation truncation) {
  switch (truncation) {
    case Truncation::kNone:
      return v1::TRUNCATION_REASON_UNSPECIFIED;
    case Truncation::kMaxEpisodeSteps:
      return v1::TRUNCATION_REASON_MAX_EPISODE_STEPS;
    case Truncation::kModelHorizon:
      return v1::TRUNCATION_REASON_MODEL_HORIZON;
  }
  return v1::TRUNCATION_REASON_UNSPECIFIED;
}

void FillFinal(StepResult& result, v1::FinalRows& out) {
  out.mutable_rows()->Add(result.final_rows.begin(), result.final_rows.end());
  out.mutable_step_index()->Add(result.final_step_index.begin(), result.final_step_index.end());
  FillObservations(std::move(result.final_observations), *out.mutable_observations());
}

// [n, V, k, k] of one matrix of the cameras.
template <typename Matrix>
v1::Tensor Matrices(const std::vector<std::vector<Camera>>& rows, Matrix Camera::*member,
                    int64_t k) {
  HostTensor out{
      DType::kF32,
      {static_cast<int64_t>(rows.size()), static_cast<int64_t>(rows.front().size()), k, k},
      {}};
  for (const auto& cameras : rows) {
    for (const Camera& camera : cameras) {
      const Matrix& matrix = camera.*member;
      out.data.append(reinterpret_cast<const char*>(matrix.data()), sizeof(matrix));
    }
  }
  return ToProto(std::move(out));
}

uint64_t StateBytes(const Session& session) {
  return gwm::server::StateBytes(session.world()->spec(),
                                 uint64_t{session.num_envs()} + session.kept_states());
}

v1::SessionState StateOf(const Session& session) {
  return session.spilled() ? v1::SESSION_STATE_SPILLED : v1::SESSION_STATE_RESIDENT;
}

// A tensor [B, S] out of a flat one.
v1::Tensor Reshaped(v1::Tensor tensor, size_t branches, uint32_t steps) {
  tensor.clear_shape();
  tensor.add_shape(static_cast<int64_t>(branches));
  tensor.add_shape(steps);
  return tensor;
}

}  // namespace

absl::Status FillSession(const Session& session, const std::string& instance_id, v1::Session& out) {
  const SessionConfig& config = session.config();
  const WorldSpec& spec = session.world()->spec();
  std::vector<uint32_t> all;
  for (uint32_t id = 0; id < session.num_envs(); ++id) all.push_back(id);
  ASSIGN_OR_RETURN(const auto envs, session.Read(all));
  out.set_session_id(session.id());
  out.set_server_instance_id(instance_id);
  out.set_model_id(spec.model_id);
  out.set_checkpoint_digest(spec.checkpoint_digest);
  out.set_num_envs(static_cast<uint32_t>(envs.size()));
  out.set_kept_states(static_cast<uint32_t>(session.kept_states()));
  out.set_seed(config.seed);
  *out.mutable_sampler() = ToProto(config.sampler);
  for (const std::string& name : ObservationNames(config.observations)) out.add_observations(name);
  *out.mutable_idle_ttl() = ToProto(config.idle_ttl);
  *out.mutable_max_lifetime() = ToProto(config.max_lifetime);
  out.set_auto_reset(AutoResetToProto(config.auto_reset));
  out.set_max_episode_steps(config.max_episode_steps);
  out.set_max_expected_error(config.max_expected_error);
  *out.mutable_lease_expires_at() = ToProto(session.ExpiresAt());
  out.set_state_bytes(StateBytes(session));
  out.set_client_id(config.client_id);
  out.set_evictable(config.evictable);
  out.set_spillable(config.spillable);
  out.set_state(StateOf(session));
  out.set_replays_calls(true);
  for (const Env& env : envs) {
    *out.add_envs() = ToProto(env);
  }
  return absl::OkStatus();
}

void FillRenewal(const Session& session, absl::Time now, v1::RenewSessionReply& out) {
  *out.mutable_lease_expires_at() = ToProto(session.ExpiresAt());
  *out.mutable_expires_in() = ToProto(session.ExpiresAt() - now);
}

void FillSummary(const Session& session, v1::SessionSummary& out) {
  out.set_session_id(session.id());
  out.set_num_envs(session.num_envs());
  *out.mutable_created_at() = ToProto(session.created_at());
  *out.mutable_lease_expires_at() = ToProto(session.ExpiresAt());
  out.set_state_bytes(StateBytes(session));
  out.set_state(StateOf(session));
}

void FillReset(ResetResult result, v1::ResetReply& out) {
  FillObservations(std::move(result.observations), *out.mutable_observations());
  out.mutable_pool_indices()->Add(result.pool_indices.begin(), result.pool_indices.end());
  out.mutable_episode()->Add(result.episodes.begin(), result.episodes.end());
  out.mutable_step_index()->Add(result.step_index.begin(), result.step_index.end());
  *out.mutable_intrinsics() = Matrices(result.cameras, &Camera::intrinsics, 3);
  *out.mutable_world_from_cam() = Matrices(result.cameras, &Camera::world_from_cam, 4);
  FillTiming(result.timing, result.busy, *out.mutable_timing());
  out.set_replayed(result.replayed);
}

void FillStep(StepResult result, v1::StepReply& out) {
  *out.mutable_reward() = ToProto(result.reward);
  *out.mutable_terminated() = BoolsToProto(result.terminated);
  *out.mutable_truncated() = BoolsToProto(result.truncated);
  *out.mutable_success() = BoolsToProto(result.success);
  *out.mutable_success_probability() = ToProto(result.success_probability);
  if (!result.expected_error.empty()) {
    *out.mutable_expected_error() = ToProto(result.expected_error);
  }
  for (Truncation truncation : result.truncation) {
    out.add_truncation_reason(TruncationToProto(truncation));
  }
  *out.mutable_reset() = BoolsToProto(result.reset);
  out.mutable_episode()->Add(result.episode.begin(), result.episode.end());
  out.mutable_pool_indices()->Add(result.pool_indices.begin(), result.pool_indices.end());
  if (!result.final_rows.empty()) FillFinal(result, *out.mutable_final());
  FillObservations(std::move(result.observations), *out.mutable_observations());
  out.mutable_step_index()->Add(result.step_index.begin(), result.step_index.end());
  FillRowStatus(result.row_status, *out.mutable_row_status());
  FillTiming(result.timing, result.busy, *out.mutable_timing());
  out.set_replayed(result.replayed);
}

void FillChunk(ImagineResult result, std::string_view state_key, v1::ImagineChunk& out) {
  const size_t branches = result.done.size();
  out.set_t(result.t);
  *out.mutable_reward() = Reshaped(ToProto(result.reward), branches, result.steps);
  *out.mutable_terminated() = Reshaped(BoolsToProto(result.terminated), branches, result.steps);
  *out.mutable_success() = Reshaped(BoolsToProto(result.success), branches, result.steps);
  if (!result.expected_error.empty()) {
    *out.mutable_expected_error() =
        Reshaped(ToProto(result.expected_error), branches, result.steps);
  }
  FillObservations(std::move(result.observations), *out.mutable_observations());
  *out.mutable_done() = BoolsToProto(result.done);
  FillLatency(result.latency, *out.mutable_timing());
  FillRowStatus(result.branch_status, *out.mutable_row_status());
  for (const StateContent& state : result.final_states) {
    out.add_final_states()->set_blob(EncodeState(state, state_key));
  }
}

void FillPlan(const PlanResult& result, v1::PlanReply& out) {
  *out.mutable_returns() = ToProto(result.returns);
  out.set_best(result.best);
  const size_t action_dim = result.best_actions.size() / result.steps;
  *out.mutable_best_actions() = ToProto(HostTensor::From<float>(
      {result.steps, static_cast<int64_t>(action_dim)}, result.best_actions));
  *out.mutable_terminated() = BoolsToProto(result.terminated);
  *out.mutable_success() = BoolsToProto(result.success);
  if (!result.expected_error.empty()) {
    *out.mutable_expected_error() = ToProto(result.expected_error);
  }
  FillRowStatus(result.row_status, *out.mutable_row_status());
}

void FillObserve(CompareResult result, v1::ObserveReply& out) {
  *out.mutable_latent_error() = ToProto(result.latent_error);
  *out.mutable_psnr_db() = ToProto(result.psnr_db);
  out.mutable_episode()->Add(result.episode.begin(), result.episode.end());
  out.mutable_step_index()->Add(result.step_index.begin(), result.step_index.end());
  FillObservations(std::move(result.observations), *out.mutable_observations());
  FillTiming(result.timing, result.busy, *out.mutable_timing());
  out.set_replayed(result.replayed);
}

void FillFork(const ForkResult& result, const std::string& instance_id, v1::ForkReply& out) {
  // The children are there, whatever happened to the session since.
  FillSession(*result.session, instance_id, *out.mutable_session()).IgnoreError();
  out.mutable_env_ids()->Add(result.env_ids.begin(), result.env_ids.end());
  out.set_replayed(result.replayed);
}

}  // namespace gwm::server
