#include "clients/policies/chunk_executor.h"

#include <cmath>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "clients/base/checks.h"
#include "clients/policies/noise.h"

namespace gwm::policies {

std::vector<double> EnsembleWeights(int64_t count, double decay) {
  std::vector<double> weights;
  double sum = 0;
  for (int64_t i = 0; i < count; ++i) {
    weights.push_back(std::exp(-decay * static_cast<double>(i)));
    sum += weights.back();
  }
  for (double& weight : weights) weight /= sum;
  return weights;
}

ChunkExecutor::ChunkExecutor(ChunkPolicy& policy, const ExecutorOptions& options)
    : policy_(policy), options_(options), environments_(options.environments) {}

absl::StatusOr<std::unique_ptr<ChunkExecutor>> ChunkExecutor::Create(
    ChunkPolicy& policy, const ExecutorOptions& options) {
  const int64_t reach = policy.spec().horizon - policy.spec().current_action;
  if (options.environments < 1) {
    return absl::InvalidArgumentError("environments must be positive");
  }
  if (options.execute_steps < 1 || options.execute_steps > reach) {
    return absl::InvalidArgumentError(
        absl::StrCat("execute_steps is ", options.execute_steps, ", must be from 1 to ", reach,
                     ", the actions of a chunk from the current one on"));
  }
  if (options.ensemble_decay && !std::isfinite(*options.ensemble_decay)) {
    return absl::InvalidArgumentError("ensemble_decay must be finite");
  }
  return std::unique_ptr<ChunkExecutor>(new ChunkExecutor(policy, options));
}

absl::Status ChunkExecutor::Reset(int64_t environment, uint64_t episode) {
  if (environment < 0 || environment >= options_.environments) {
    return absl::InvalidArgumentError(
        absl::StrCat("environment ", environment, " is none of ", options_.environments));
  }
  environments_[environment] = Environment{.episode = episode};
  return absl::OkStatus();
}

absl::Status ChunkExecutor::CheckCall(std::span<const int64_t> environments,
                                      const torch::Tensor& observation) const {
  std::set<int64_t> seen;
  for (const int64_t number : environments) {
    if (number < 0 || number >= options_.environments || !seen.insert(number).second) {
      return absl::InvalidArgumentError(absl::StrCat("environment ", number, " is none of ",
                                                     options_.environments, " or named twice"));
    }
  }
  if (seen.empty()) return absl::InvalidArgumentError("no environment is named");
  return clients::CheckFinite(observation,
                              {static_cast<int64_t>(seen.size()), policy_.spec().observation_dim},
                              "observation");
}

void ChunkExecutor::Observe(Environment& environment, const torch::Tensor& observation) const {
  const int64_t steps = policy_.spec().observation_steps;
  const torch::Tensor newest = observation.unsqueeze(0);
  environment.history = environment.history.defined()
                            ? torch::cat({environment.history.narrow(0, 1, steps - 1), newest})
                            : newest.repeat({steps, 1});
}

absl::Status ChunkExecutor::AskForChunks(std::span<const int64_t> numbers,
                                         std::vector<Environment>& states) {
  std::vector<Environment*> due;
  std::vector<torch::Tensor> histories, uniforms, normals;
  for (size_t i = 0; i < states.size(); ++i) {
    Environment& state = states[i];
    if (state.steps_to_call > 0) continue;
    const CounterRandom random(
        CounterRandom(options_.seed)
            .Bits(RandomStream::kEpisode, state.episode, static_cast<uint64_t>(numbers[i])));
    const ChunkNoise noise = DrawActNoise(policy_.ActNoise(), policy_.spec(), random, state.calls);
    due.push_back(&state);
    histories.push_back(state.history);
    uniforms.push_back(noise.uniform);
    normals.push_back(noise.normal);
  }
  if (due.empty()) return absl::OkStatus();
  const auto chunks =
      policy_.Act(torch::stack(histories), {torch::cat(uniforms), torch::cat(normals)});
  if (!chunks.ok()) return chunks.status();
  for (size_t i = 0; i < due.size(); ++i) {
    if (!options_.ensemble_decay) due[i]->chunks.clear();
    due[i]->chunks.push_back(
        {(*chunks)[static_cast<int64_t>(i)].clone(), policy_.spec().current_action});
    due[i]->steps_to_call = options_.execute_steps;
    ++due[i]->calls;
  }
  return absl::OkStatus();
}

torch::Tensor ChunkExecutor::NextAction(Environment& environment) const {
  const std::vector<double> weights = EnsembleWeights(
      static_cast<int64_t>(environment.chunks.size()), options_.ensemble_decay.value_or(0));
  torch::Tensor action = torch::zeros({policy_.spec().action_dim});
  for (size_t i = 0; i < weights.size(); ++i) {
    Chunk& chunk = environment.chunks[i];
    action += weights[i] * chunk.actions[chunk.next++];
  }
  // The oldest chunk is the first to end.
  if (environment.chunks.front().next == policy_.spec().horizon) environment.chunks.pop_front();
  --environment.steps_to_call;
  return action;
}

absl::StatusOr<torch::Tensor> ChunkExecutor::Act(std::span<const int64_t> environments,
                                                 const torch::Tensor& observation) {
  return clients::WithoutThrowing("Act", [&]() -> absl::StatusOr<torch::Tensor> {
    absl::Status status = CheckCall(environments, observation);
    if (!status.ok()) return status;
    std::vector<Environment> states;
    for (size_t i = 0; i < environments.size(); ++i) {
      states.push_back(environments_[environments[i]]);
      Observe(states.back(), observation[static_cast<int64_t>(i)]);
    }
    status = AskForChunks(environments, states);
    if (!status.ok()) return status;
    std::vector<torch::Tensor> actions;
    for (Environment& state : states) actions.push_back(NextAction(state));
    for (size_t i = 0; i < environments.size(); ++i) {
      environments_[environments[i]] = std::move(states[i]);
    }
    return torch::stack(actions);
  });
}

}  // namespace gwm::policies
