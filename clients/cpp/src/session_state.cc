#include "clients/cpp/src/session_state.h"

#include <algorithm>

#include "clients/cpp/src/convert.h"

namespace gwm::client {
Session::State::State(const v1::Session& session)
    : id(session.session_id()),
      num_envs(session.num_envs()),
      seed(session.seed()),
      model{session.model_id(), session.checkpoint_digest()},
      replays_calls_(session.replays_calls()),
      steps_(num_envs, 0) {
  std::vector<uint64_t> steps;
  for (const v1::EnvStatus& env : session.envs()) steps.push_back(env.step_index());
  Note({}, steps);
}

std::vector<uint64_t> Session::State::Expected(const std::vector<uint32_t>& env_ids) const {
  if (!replays_calls_) return {};
  if (env_ids.empty()) return steps_;
  std::vector<uint64_t> expected;
  for (uint32_t env : env_ids) {
    if (env >= num_envs) return {};
    expected.push_back(steps_[env]);
  }
  return expected;
}

void Session::State::Note(const std::vector<uint32_t>& env_ids, const std::vector<uint64_t>& step) {
  const size_t rows = std::min(env_ids.empty() ? steps_.size() : env_ids.size(), step.size());
  for (size_t row = 0; row < rows; ++row) {
    const size_t env = env_ids.empty() ? row : env_ids[row];
    if (env < num_envs) steps_[env] = step[row];
  }
}

void Session::State::Grow(const std::vector<uint64_t>& steps) {
  steps_.insert(steps_.end(), steps.begin(), steps.end());
  num_envs = static_cast<uint32_t>(steps_.size());
}

std::string Session::State::NextRequestId() {
  return replays_calls_ ? call_names_.Next() : std::string();
}

v1::StepRequest Session::State::StepOf(const Tensor& actions, const StepOptions& options) {
  v1::StepRequest request;
  request.set_session_id(id);
  internal::Assign(options.env_ids, request.mutable_env_ids());
  *request.mutable_actions() = internal::ToProto(actions);
  internal::Assign(options.observations, request.mutable_observations());
  if (options.sampler_calls > 0) request.set_sampler_calls(options.sampler_calls);
  request.set_sampler_kind(internal::ToProto(options.sampler));
  if (options.camera) *request.mutable_camera() = internal::ToProto(*options.camera);
  internal::Assign(Expected(options.env_ids), request.mutable_expected_step());
  request.mutable_context()->set_request_id(NextRequestId());
  return request;
}

internal::Repeat Session::State::repeat() const {
  return replays_calls_ ? internal::Repeat::kSafe : internal::Repeat::kOnlyIfRefused;
}

}  // namespace gwm::client
