#include "server/schedule/warm_up.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "server/base/status.h"

namespace gwm::server {
namespace {

class WarmUpRun {
 public:
  WarmUpRun(World& world, const WarmUpOptions& options, const OnCost& on_cost)
      : world_(world),
        options_(options),
        on_cost_(on_cost),
        ends_at_(options.clock->Now() + options.time_limit),
        action_(static_cast<size_t>(world.spec().action_dim), 0) {}

  absl::Status Run() {
    RETURN_IF_ERROR(MeasureReset());
    RETURN_IF_ERROR(TimeOfCall(1).status());  // also loads what the model needs
    for (int rows = 1; rows <= options_.max_rows && !over(); rows *= 2) {
      ASSIGN_OR_RETURN(const absl::Duration cost, TimeOfCall(rows));
      on_cost_(Stage::kStep, rows, cost);
    }
    return over() ? absl::OkStatus() : MeasureRender();
  }

 private:
  bool over() const { return options_.clock->Now() >= ends_at_; }

  absl::Status MeasureReset() {
    for (int i = 0; i < 2; ++i) {
      state_.reset();
      const absl::Time begun = options_.clock->Now();
      ASSIGN_OR_RETURN(auto states, world_.Reset({{.frames = std::nullopt, .pool_index = 0}}));
      const absl::Duration cost = options_.clock->Now() - begun;
      state_ = std::move(states.front());
      if (i == 0) continue;
      on_cost_(Stage::kReset, 1, cost);
      on_cost_(Stage::kEncode, 1, cost);
    }
    return absl::OkStatus();
  }

  // The last call of a step: the dearest one, since the heads follow it.
  absl::StatusOr<absl::Duration> TimeOfCall(int rows) {
    std::vector<StepRequest> requests;
    for (int row = 0; row < rows; ++row) {
      requests.push_back(
          {.state = state_, .action = action_, .noise = {.env = static_cast<uint32_t>(row)}});
    }
    ASSIGN_OR_RETURN(
        const auto begun,
        world_.BeginStep(requests, {.sampler_calls = 1, .sampler = SamplerKind::kEuler}));
    std::vector<StepInProgress*> steps;
    for (const StepInProgressPtr& step : begun) steps.push_back(step.get());
    const absl::Time begun_at = options_.clock->Now();
    RETURN_IF_ERROR(world_.Advance(steps));
    return options_.clock->Now() - begun_at;
  }

  absl::Status MeasureRender() {
    ASSIGN_OR_RETURN(const auto cameras, world_.Cameras(state_));
    std::vector<RenderRequest> requests;
    for (const Camera& camera : cameras) requests.push_back({.state = state_, .camera = camera});
    for (int i = 0; i < 2; ++i) {
      const absl::Time begun = options_.clock->Now();
      RETURN_IF_ERROR(world_.Render(requests, {}).status());
      const absl::Duration cost = options_.clock->Now() - begun;
      if (i == 0) continue;
      on_cost_(Stage::kRender, 1, cost);
      on_cost_(Stage::kShow, 1, cost);
    }
    return absl::OkStatus();
  }

  World& world_;
  const WarmUpOptions& options_;
  const OnCost& on_cost_;
  const absl::Time ends_at_;
  const std::vector<float> action_;
  StatePtr state_;
};

}  // namespace

absl::Status WarmUp(World& world, const WarmUpOptions& options, const OnCost& on_cost) {
  if (world.spec().reset_pool_size == 0 || options.time_limit <= absl::ZeroDuration()) {
    return absl::OkStatus();
  }
  const absl::Status status = WarmUpRun(world, options, on_cost).Run();
  // A small pool: what fitted was measured.
  return absl::IsResourceExhausted(status) ? absl::OkStatus() : status;
}

}  // namespace gwm::server
