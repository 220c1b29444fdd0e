#include "server/work/reset_work.h"

#include <utility>

#include "absl/status/status.h"
#include "server/base/status.h"
#include "server/work/kept_result.h"

namespace gwm::server {
namespace {

// Finaliser of SplitMix64: every input bit reaches every output bit.
uint64_t Mix(uint64_t x) {
  x += 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

}  // namespace

uint32_t PoolIndex(uint64_t seed, uint32_t env, uint64_t episode, uint32_t size) {
  return static_cast<uint32_t>(Mix(Mix(Mix(seed) ^ env) ^ episode) % size);
}

ResetWork::ResetWork(SessionCall call, ResetArgs args, Answer<ResetResult> answer)
    : Work(call.call, &*call.session),
      call_(std::move(call)),
      args_(std::move(args)),
      answer_(std::move(answer)) {}

void ResetWork::Run(World& world, const RunTiming& timing) { Reply(Reset(world, timing)); }

void ResetWork::Reply(absl::StatusOr<ResetResult> result) {
  call_.session.Release();
  answer_(std::move(result));
}

absl::StatusOr<std::vector<Env>> ResetWork::NextEnvs() const {
  ASSIGN_OR_RETURN(std::vector<Env> envs, call_.session->Read(call_.env_ids));
  for (Env& env : envs) {
    if (args_.seed.has_value()) {
      env.seed = *args_.seed;
      env.resets = 0;
    }
    env.phase = EnvPhase::kRunning;
    env.state = nullptr;
    env.steps = 0;
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
            ? PoolIndex(envs[row].seed, call_.env_ids[row], envs[row].episode(), pool_size)
            : args_.pool_indices[row];
    requests[row].pool_index = static_cast<int>(index);
    result.pool_indices.push_back(index);
  }
  return requests;
}

absl::StatusOr<ResetResult> ResetWork::Reset(World& world, const RunTiming& timing) {
  ASSIGN_OR_RETURN(auto kept, FindKept<ResetResult>(*call_.session, args_.replay));
  if (kept.has_value()) return *std::move(kept);
  ResetResult result{.timing = timing};
  ASSIGN_OR_RETURN(std::vector<Env> envs, NextEnvs());
  ASSIGN_OR_RETURN(const auto states, world.Reset(Requests(world, envs, result)));
  if (states.size() != envs.size()) return absl::InternalError("states are missing");
  std::vector<Viewed> views;
  for (size_t row = 0; row < envs.size(); ++row) {
    envs[row].state = states[row];
    ASSIGN_OR_RETURN(envs[row].cameras, world.Cameras(states[row]));
    views.push_back({states[row], envs[row].cameras});
    result.episodes.push_back(envs[row].episode());
    result.cameras.push_back(envs[row].cameras);
  }
  ASSIGN_OR_RETURN(result.observations, Observe(world, views, args_.observations));
  const absl::Time now = call_.clock->Now();
  RETURN_IF_ERROR(call_.call->Alive(now, kPhaseRunning));
  result.timing.batch_rows = static_cast<uint32_t>(states.size());
  result.busy = now - timing.started;
  absl::StatusOr<ResetResult> answer = std::move(result);
  RETURN_IF_ERROR(
      call_.session->Commit(call_.env_ids, std::move(envs), ForReplay(args_.replay, answer)));
  return answer;
}

}  // namespace gwm::server
