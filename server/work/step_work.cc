#include "server/work/step_work.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "server/base/error.h"
#include "server/base/status.h"
#include "server/work/kept_result.h"

namespace gwm::server {

NoiseKey NextNoise(const Env& env) {
  return {.seed = env.seed,
          .env = env.noise_env,
          .episode = static_cast<uint32_t>(env.episode()),
          .step = static_cast<uint32_t>(env.steps)};
}

SessionStepWork::SessionStepWork(SessionCall call, StepArgs args, Answer<StepResult> answer)
    : StepWork(call.call, &*call.session, static_cast<int>(call.env_ids.size()),
               args.sampler_calls),
      call_(std::move(call)),
      args_(std::move(args)),
      answer_(std::move(answer)) {}

absl::StatusOr<std::vector<StepRequest>> SessionStepWork::Begin() {
  ASSIGN_OR_RETURN(auto kept, FindKept<StepResult>(*call_.session, args_.replay));
  if (kept.has_value()) {
    Reply(*std::move(kept));
    return std::vector<StepRequest>();
  }
  ASSIGN_OR_RETURN(envs_, ReadRunning(*call_.session, call_.env_ids, args_.expected_step));
  const size_t action_dim = args_.actions.size() / envs_.size();
  std::vector<StepRequest> rows(envs_.size());
  for (size_t row = 0; row < rows.size(); ++row) {
    rows[row] = {.state = envs_[row].state,
                 .action = args_.actions.subspan(row * action_dim, action_dim),
                 .noise = NextNoise(envs_[row])};
  }
  return rows;
}

void SessionStepWork::Complete(World& world, std::span<StepRow> results, const RunTiming& timing) {
  Reply(Finish(world, results, timing));
}

void SessionStepWork::Reply(absl::StatusOr<StepResult> result) {
  call_.session.Release();
  answer_(std::move(result));
}

void SessionStepWork::Advance(const StepRow& row, Env& env, StepResult& result) const {
  const bool ok = row.status.ok();
  env.steps += ok ? 1 : 0;
  const uint32_t horizon = call_.session->config().max_episode_steps;
  const bool terminated = ok && row.terminated;
  const bool truncated = ok && horizon != 0 && env.steps >= horizon;
  env.state = row.next;
  env.phase =
      !ok ? EnvPhase::kFailed : (terminated || truncated ? EnvPhase::kDone : EnvPhase::kRunning);
  result.reward.push_back(ok ? row.reward : 0);
  result.terminated.push_back(terminated);
  result.truncated.push_back(truncated);
  result.success.push_back(ok && row.success);
  result.success_probability.push_back(ok ? row.success_probability : 0);
  result.step_index.push_back(env.steps);
  result.row_status.push_back(row.status);
}

absl::StatusOr<StepResult> SessionStepWork::Finish(World& world, std::span<StepRow> rows,
                                                   const RunTiming& timing) {
  StepResult result{.timing = timing};
  std::vector<Viewed> views;
  for (size_t row = 0; row < rows.size(); ++row) {
    Advance(rows[row], envs_[row], result);
    // Moved, so that no state outlives the answer unseen.
    views.push_back({std::move(rows[row].next),
                     args_.camera.has_value() ? std::vector{*args_.camera} : envs_[row].cameras});
  }
  const bool all_failed =
      std::none_of(rows.begin(), rows.end(), [](const StepRow& row) { return row.status.ok(); });
  if (!all_failed) {
    ASSIGN_OR_RETURN(result.observations, Observe(world, views, args_.observations));
  }
  const absl::Time now = call_.clock->Now();
  RETURN_IF_ERROR(call_.call->Alive(now, kPhaseRunning));
  result.busy = now - timing.started;
  // With nothing to show, the row's own status is the answer.
  absl::StatusOr<StepResult> answer = std::move(result);
  if (all_failed) answer = rows.front().status;
  RETURN_IF_ERROR(
      call_.session->Commit(call_.env_ids, std::move(envs_), ForReplay(args_.replay, answer)));
  return answer;
}

}  // namespace gwm::server
