#include "clients/cpp/src/policy_convert.h"

#include "clients/cpp/src/convert.h"

namespace gwm::client::internal {
namespace {

FeatureSource SourceFromProto(const v1::FeatureSource& proto) {
  return {.model_id = proto.model_id(),
          .checkpoint_digest = proto.checkpoint_digest(),
          .pooling = static_cast<FeaturePooling>(proto.pooling())};
}

PolicySpec SpecFromProto(v1::PolicySpec* proto) {
  PolicySpec spec{.policy_id = proto->policy_id(),
                  .policy_digest = proto->policy_digest(),
                  .kind = proto->kind(),
                  .takes_frames = proto->takes_frames(),
                  .history = proto->history(),
                  .horizon = proto->horizon(),
                  .execute_steps = proto->execute_steps(),
                  .action = FromProto(proto->action()),
                  .action_low = FloatsFromProto(proto->mutable_action_low()),
                  .action_high = FloatsFromProto(proto->mutable_action_high()),
                  .batch_invariant = proto->determinism() == v1::DETERMINISM_BATCH_INVARIANT,
                  .control_dt_s = proto->control_dt_s(),
                  .tasks = ToVector<std::string>(proto->tasks()),
                  .device = proto->device(),
                  .precision = proto->precision(),
                  .network_calls = proto->network_calls()};
  for (const v1::FieldSpec& field : proto->observations()) {
    spec.observations.push_back(FromProto(field));
  }
  if (proto->has_features()) spec.features = SourceFromProto(proto->features());
  if (proto->has_noise()) spec.noise = FromProto(proto->noise());
  return spec;
}

}  // namespace

v1::ActRequest ToProto(const ActRequest& request) {
  v1::ActRequest proto;
  proto.set_policy_id(request.policy.policy_id);
  proto.set_policy_digest(request.policy.policy_digest);
  for (const auto& [name, tensor] : request.observations) {
    (*proto.mutable_observations())[name] = ToProto(tensor);
  }
  Assign(request.history_steps, proto.mutable_history_steps());
  if (request.frames) *proto.mutable_frames() = ToProto(*request.frames);
  proto.set_feature_model_digest(request.feature_model_digest);
  if (request.seed) proto.set_seed(*request.seed);
  for (const ActRow& row : request.rows) {
    v1::ActRow& out = *proto.add_rows();
    out.set_env_id(row.env_id);
    out.set_episode(row.episode);
    out.set_step_index(row.step_index);
  }
  if (request.noise) *proto.mutable_noise() = ToProto(*request.noise);
  proto.set_selection(static_cast<v1::ActionSelection>(request.selection));
  return proto;
}

ActResult FromProto(v1::ActReply* reply) {
  ActResult result{.actions = FromProto(reply->mutable_actions()),
                   .row_status = FromProto(reply->row_status()),
                   .policy_id = reply->policy_id(),
                   .policy_digest = reply->policy_digest(),
                   .timing = FromProto(reply->timing())};
  if (result.actions.dtype != DType::kF32 || result.actions.shape.size() != 3) {
    throw Error({.code = Code::kInternal,
                 .reason = "BAD_REPLY",
                 .field = "actions",
                 .message = "the server sent actions that are not f32 [n, H, A]"});
  }
  return result;
}

PolicyInfo FromProto(v1::GetPolicyReply* reply) {
  return {.policy = SpecFromProto(reply->mutable_policy()),
          .max_rows = reply->max_rows(),
          .max_message_bytes = reply->max_message_bytes()};
}

}  // namespace gwm::client::internal
