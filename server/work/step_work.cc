#include "server/work/step_work.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "server/base/error.h"
#include "server/base/status.h"
#include "server/work/kept_result.h"
#include "server/work/reset_work.h"
#include "server/work/spill.h"

namespace gwm::server {

NoiseKey NextNoise(const Env& env) {
  return {.seed = env.seed,
          .env = env.noise_env,
          .episode = static_cast<uint32_t>(env.episode()),
          .step = static_cast<uint32_t>(env.steps)};
}

namespace {

StepShape ShapeOf(const SessionCall& call, const StepArgs& args) {
  const auto rows = static_cast<int>(call.env_ids.size());
  return {.rows = rows, .sampler = args.sampler, .shown = args.observations != 0 ? rows : 0};
}

}  // namespace

SessionStepWork::SessionStepWork(SessionCall call, StepArgs args, Answer<StepResult> answer)
    : StepWork(call.call, &*call.session, call.session->world(), ShapeOf(call, args)),
      call_(std::move(call)),
      args_(std::move(args)),
      answer_(std::move(answer)) {}

absl::StatusOr<std::vector<StepRequest>> SessionStepWork::Begin() {
  ASSIGN_OR_RETURN(auto kept, FindKept<StepResult>(*call_.session, args_.replay));
  std::vector<StepRequest> rows;
  if (kept.has_value()) {
    answered_ = true;
    Reply(*std::move(kept));
    return rows;
  }
  RETURN_IF_ERROR(BringBack(world()->world(), call_));
  ASSIGN_OR_RETURN(envs_, ReadForStep(*call_.session, call_.env_ids, args_.expected_step));
  waiting_.clear();
  const size_t action_dim = args_.actions.size() / envs_.size();
  for (size_t row = 0; row < envs_.size(); ++row) {
    waiting_.push_back(envs_[row].phase != EnvPhase::kRunning);
    if (waiting_.back()) continue;
    rows.push_back({.state = envs_[row].state,
                    .action = args_.actions.subspan(row * action_dim, action_dim),
                    .noise = NextNoise(envs_[row]),
                    .age = envs_[row].age()});
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

Truncation SessionStepWork::TruncationOf(const StepRow& row, uint64_t steps) const {
  const SessionConfig& config = call_.session->config();
  if (!row.status.ok()) return Truncation::kNone;
  if (config.max_episode_steps != 0 && steps >= config.max_episode_steps) {
    return Truncation::kMaxEpisodeSteps;
  }
  const float error = row.expected_error.value_or(0);
  const bool lost = config.max_expected_error > 0 && error > config.max_expected_error;
  return lost ? Truncation::kModelHorizon : Truncation::kNone;
}

void SessionStepWork::Advance(const StepRow& row, Env& env, StepResult& result) const {
  const bool ok = row.status.ok();
  env.steps += ok ? 1 : 0;
  const bool terminated = ok && row.terminated;
  const Truncation truncation = TruncationOf(row, env.steps);
  const bool truncated = truncation != Truncation::kNone;
  env.state = row.next;
  env.phase =
      !ok ? EnvPhase::kFailed : (terminated || truncated ? EnvPhase::kDone : EnvPhase::kRunning);
  result.reward.push_back(ok ? row.reward : 0);
  result.terminated.push_back(terminated);
  result.truncated.push_back(truncated);
  result.success.push_back(ok && row.success);
  result.success_probability.push_back(ok ? row.success_probability : 0);
  result.expected_error.push_back(ok ? row.expected_error.value_or(0) : 0);
  result.truncation.push_back(truncation);
  result.step_index.push_back(env.steps);
  result.row_status.push_back(row.status);
}

void SessionStepWork::AppendWaiting(StepResult& result) {
  result.reward.push_back(0);
  result.terminated.push_back(0);
  result.truncated.push_back(0);
  result.success.push_back(0);
  result.success_probability.push_back(0);
  result.expected_error.push_back(0);
  result.truncation.push_back(Truncation::kNone);
  result.step_index.push_back(0);
  result.row_status.push_back(absl::OkStatus());
}

void SessionStepWork::AdvanceAll(std::span<StepRow> rows, StepResult& result) {
  auto next = rows.begin();
  for (size_t row = 0; row < envs_.size(); ++row) {
    if (!waiting_[row]) {
      Advance(*next, envs_[row], result);
      next->next = nullptr;  // no state outlives the answer unseen
      ++next;
    } else {
      AppendWaiting(result);
    }
    result.reset.push_back(0);
    result.episode.push_back(envs_[row].episode());
  }
}

std::vector<uint32_t> SessionStepWork::FreshRows() const {
  const bool same_step = call_.session->config().auto_reset == AutoReset::kSameStep;
  std::vector<uint32_t> rows;
  for (uint32_t row = 0; row < envs_.size(); ++row) {
    const bool ended = same_step && envs_[row].phase != EnvPhase::kRunning;
    if (waiting_[row] || ended) rows.push_back(row);
  }
  return rows;
}

Viewed SessionStepWork::View(size_t row) const {
  const Env& env = envs_[row];
  return {env.state, args_.camera.has_value() ? std::vector{*args_.camera} : env.cameras};
}

absl::Status SessionStepWork::KeepFinal(World& world, const std::vector<uint32_t>& rows,
                                        StepResult& result) const {
  std::vector<Viewed> views;
  bool any = false;
  for (uint32_t row : rows) {
    result.final_rows.push_back(row);
    result.final_step_index.push_back(envs_[row].steps);
    views.push_back(View(row));
    any = any || envs_[row].state != nullptr;
  }
  // Of failed rows alone there is nothing to show.
  if (!any) return absl::OkStatus();
  ASSIGN_OR_RETURN(result.final_observations, Observe(world, views, args_.observations));
  return absl::OkStatus();
}

absl::Status SessionStepWork::BeginFresh(World& world, const std::vector<uint32_t>& rows,
                                         StepResult& result) {
  if (rows.empty()) return absl::OkStatus();
  if (call_.session->config().auto_reset == AutoReset::kSameStep) {
    RETURN_IF_ERROR(KeepFinal(world, rows, result));
  }
  std::vector<Env*> envs;
  for (uint32_t row : rows) envs.push_back(&envs_[row]);
  ASSIGN_OR_RETURN(const std::vector<uint32_t> entries, BeginNextEpisodes(world, envs));
  result.pool_indices.resize(envs_.size(), 0);
  for (size_t i = 0; i < rows.size(); ++i) {
    result.reset[rows[i]] = 1;
    result.episode[rows[i]] = envs[i]->episode();
    result.step_index[rows[i]] = 0;
    result.pool_indices[rows[i]] = entries[i];
  }
  return absl::OkStatus();
}

absl::StatusOr<StepResult> SessionStepWork::Finish(World& world, std::span<StepRow> rows,
                                                   const RunTiming& timing) {
  StepResult result{.timing = timing};
  const auto lost =
      std::find_if(rows.begin(), rows.end(), [](const StepRow& row) { return !row.status.ok(); });
  const bool all_failed =
      rows.size() == envs_.size() &&
      std::none_of(rows.begin(), rows.end(), [](const StepRow& row) { return row.status.ok(); });
  AdvanceAll(rows, result);
  if (!world.spec().tells_expected_error) result.expected_error.clear();
  if (!all_failed) {
    RETURN_IF_ERROR(BeginFresh(world, FreshRows(), result));
    std::vector<Viewed> views;
    for (size_t row = 0; row < envs_.size(); ++row) views.push_back(View(row));
    ASSIGN_OR_RETURN(result.observations, Observe(world, views, args_.observations));
  }
  const absl::Time now = call_.clock->Now();
  RETURN_IF_ERROR(call_.call->Alive(now, kPhaseRunning));
  result.busy = now - timing.started;
  // With nothing to show, the row's own status is the answer.
  absl::StatusOr<StepResult> answer = std::move(result);
  if (all_failed) answer = lost->status;
  RETURN_IF_ERROR(
      call_.session->Commit(call_.env_ids, std::move(envs_), ForReplay(args_.replay, answer)));
  return answer;
}

}  // namespace gwm::server
