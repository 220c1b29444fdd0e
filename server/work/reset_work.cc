#include "server/work/reset_work.h"

#include <utility>

#include "absl/status/status.h"
#include "server/base/status.h"
#include "server/work/kept_result.h"
#include "server/work/mix.h"
#include "server/work/spill.h"

namespace gwm::server {

uint32_t PoolIndex(uint64_t seed, uint32_t env, uint64_t episode, uint32_t size) {
  return static_cast<uint32_t>(Mix(Mix(Mix(seed) ^ env) ^ episode) % size);
}

absl::StatusOr<std::vector<uint32_t>> BeginNextEpisodes(World& world,
                                                        const std::vector<Env*>& envs) {
  const auto pool_size = static_cast<uint32_t>(world.spec().reset_pool_size);
  std::vector<uint32_t> entries;
  std::vector<ResetRequest> requests;
  for (Env* env : envs) {
    ++env->resets;
    env->steps = env->real_step = 0;
    env->phase = EnvPhase::kRunning;
    entries.push_back(PoolIndex(env->seed, env->noise_env, env->episode(), pool_size));
    requests.push_back({.frames = {}, .pool_index = static_cast<int>(entries.back())});
  }
  ASSIGN_OR_RETURN(const auto states, world.Reset(requests));
  if (states.size() != envs.size()) return absl::InternalError("states are missing");
  for (size_t i = 0; i < envs.size(); ++i) {
    envs[i]->state = states[i];
    ASSIGN_OR_RETURN(envs[i]->cameras, world.Cameras(states[i]));
  }
  return entries;
}

ResetWork::ResetWork(SessionCall call, ResetArgs args, Answer<ResetResult> answer)
    : SoloWork(call.call, &*call.session, call.session->world(),
               {.stage = Stage::kReset, .rows = static_cast<int>(call.env_ids.size())}),
      call_(std::move(call)),
      args_(std::move(args)),
      answer_(std::move(answer)) {}

void ResetWork::Run(World& world, const RunTiming& timing) { Reply(Reset(world, timing)); }

void ResetWork::Reply(absl::StatusOr<ResetResult> result) {
  args_.start.reset();  // no state outlives the answer
  call_.session.Release();
  answer_(std::move(result));
}

absl::StatusOr<std::vector<Env>> ResetWork::NextEnvs() const {
  ASSIGN_OR_RETURN(std::vector<Env> envs, call_.session->Read(call_.env_ids));
  for (size_t row = 0; row < envs.size(); ++row) {
    Env& env = envs[row];
    if (args_.seed.has_value()) {
      env.seed = *args_.seed;
      env.noise_env = call_.env_ids[row];
      env.resets = 0;
    }
    env.phase = EnvPhase::kRunning;
    env.state = nullptr;
    env.steps = env.real_step = 0;
    ++env.resets;
  }
  return envs;
}

std::vector<ResetRequest> ResetWork::Requests(const World& world, const std::vector<Env>& envs,
                                              ResetResult& result) const {
  const uint32_t pool_size = static_cast<uint32_t>(world.spec().reset_pool_size);
  std::vector<ResetRequest> requests(envs.size());
  for (size_t row = 0; row < envs.size(); ++row) {
    if (args_.frames.has_value()) {
      const auto& frames = args_.frames->rows;
      requests[row].frames = frames[frames.size() == 1 ? 0 : row];
      continue;
    }
    const uint32_t index =
        args_.pool_indices.empty()
            ? PoolIndex(envs[row].seed, envs[row].noise_env, envs[row].episode(), pool_size)
            : args_.pool_indices[row];
    requests[row].pool_index = static_cast<int>(index);
    result.pool_indices.push_back(index);
  }
  return requests;
}

absl::StatusOr<std::vector<Env>> ResetWork::BeginAt(World& world, const StartState& start) const {
  ASSIGN_OR_RETURN(const Env from, Materialise(world, start));
  std::vector<Env> envs(call_.env_ids.size(), from);
  if (!args_.seed.has_value()) return envs;
  for (size_t row = 0; row < envs.size(); ++row) {
    envs[row].seed = *args_.seed;
    envs[row].noise_env = call_.env_ids[row];
    envs[row].resets = 1;
  }
  return envs;
}

absl::StatusOr<std::vector<Env>> ResetWork::Begin(World& world, ResetResult& result) const {
  if (args_.start.has_value()) return BeginAt(world, *args_.start);
  ASSIGN_OR_RETURN(std::vector<Env> envs, NextEnvs());
  ASSIGN_OR_RETURN(const auto states, world.Reset(Requests(world, envs, result)));
  if (states.size() != envs.size()) return absl::InternalError("states are missing");
  for (size_t row = 0; row < envs.size(); ++row) {
    envs[row].state = states[row];
    ASSIGN_OR_RETURN(envs[row].cameras, world.Cameras(states[row]));
  }
  return envs;
}

absl::StatusOr<ResetResult> ResetWork::Reset(World& world, const RunTiming& timing) {
  ASSIGN_OR_RETURN(auto kept, FindKept<ResetResult>(*call_.session, args_.replay));
  if (kept.has_value()) return *std::move(kept);
  RETURN_IF_ERROR(BringBack(world, call_));
  ResetResult result{.timing = timing};
  ASSIGN_OR_RETURN(std::vector<Env> envs, Begin(world, result));
  std::vector<Viewed> views;
  for (const Env& env : envs) {
    views.push_back({env.state, env.cameras});
    result.episodes.push_back(env.episode());
    result.step_index.push_back(env.steps);
    result.cameras.push_back(env.cameras);
  }
  ASSIGN_OR_RETURN(result.observations, Observe(world, views, args_.observations));
  const absl::Time now = call_.clock->Now();
  RETURN_IF_ERROR(call_.call->Alive(now, kPhaseRunning));
  result.timing.batch_rows = static_cast<uint32_t>(envs.size());
  result.busy = now - timing.started;
  absl::StatusOr<ResetResult> answer = std::move(result);
  RETURN_IF_ERROR(
      call_.session->Commit(call_.env_ids, std::move(envs), ForReplay(args_.replay, answer)));
  return answer;
}

}  // namespace gwm::server
