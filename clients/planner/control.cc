#include "clients/planner/control.h"

#include <memory>

#include "absl/status/status.h"
#include "clients/rl/counter_random.h"

namespace gwm::planner {
namespace {

std::vector<float> ToVector(const torch::Tensor& values) {
  const torch::Tensor dense = values.to(torch::kFloat32).contiguous();
  const auto* first = dense.const_data_ptr<float>();
  return {first, first + dense.numel()};
}

}  // namespace

absl::StatusOr<Episode> RunEpisode(RealWorld& real, const Act& act, int64_t episode, uint64_t seed,
                                   int64_t max_steps, const std::function<void()>& on_step) {
  Episode result;
  real.Reset(seed);
  for (int64_t step = 0; step < max_steps; ++step) {
    const absl::StatusOr<std::vector<float>> action = act(episode, step);
    if (!action.ok()) return action.status();
    const RealStep outcome = real.Step(*action);
    result.episode_return += outcome.reward;
    result.success = result.success || outcome.success;
    result.steps = step + 1;
    if (on_step) on_step();
    if (outcome.ended) break;
  }
  return result;
}

Act PlannedActions(RealWorld& real, ModelWorld& model, rl::Planner& planner) {
  return [&real, &model, &planner](int64_t, int64_t step) -> absl::StatusOr<std::vector<float>> {
    if (step == 0) planner.Reset();
    model.Anchor(real);
    const auto returns_of = [&model](const torch::Tensor& actions) {
      return model.Returns(actions);
    };
    absl::StatusOr<rl::Plan> plan = planner.MakePlan(returns_of, rl::ActMode::kEvaluate);
    if (!plan.ok()) return plan.status();
    return ToVector(plan->action);
  };
}

Act RandomActions(uint64_t seed, int64_t action_dim) {
  const auto random = std::make_shared<rl::CounterRandom>(seed);
  return [random, action_dim](int64_t episode, int64_t step) -> absl::StatusOr<std::vector<float>> {
    const auto draw = (static_cast<uint64_t>(episode) << 32U) | static_cast<uint64_t>(step);
    return ToVector(
        random->Uniform(rl::RandomStream::kExploration, draw, {action_dim}).mul(2).sub(1));
  };
}

}  // namespace gwm::planner
