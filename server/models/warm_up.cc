#include "server/models/warm_up.h"

#include <algorithm>
#include <functional>
#include <future>
#include <memory>
#include <utility>
#include <vector>

#include "server/base/status.h"
#include "server/work/grey_wall.h"
#include "server/work/perception_work.h"

namespace gwm::server {
namespace {

using States = std::vector<StatePtr>;

absl::StatusOr<States> ResetRows(World& world, uint32_t rows) {
  const GreyWall wall(world.spec());
  const std::vector<ResetRequest> requests(rows, wall.Start(world.spec()));
  return world.Reset(requests);
}

absl::StatusOr<States> StepRows(World& world, const States& states) {
  const WorldSpec& spec = world.spec();
  const std::vector<float> still(static_cast<size_t>(spec.action_dim),
                                 std::clamp(0.F, spec.action_min, spec.action_max));
  std::vector<StepRequest> requests;
  for (uint32_t row = 0; row < states.size(); ++row) {
    requests.push_back({.state = states[row], .action = still, .noise = {.env = row}});
  }
  ASSIGN_OR_RETURN(const auto rows, world.Step(requests, {}));
  States next;
  for (const StepRow& row : rows) {
    RETURN_IF_ERROR(row.status);
    next.push_back(row.next);
  }
  return next;
}

absl::StatusOr<States> RenderRows(World& world, const States& states) {
  std::vector<RenderRequest> requests;
  for (const StatePtr& state : states) {
    ASSIGN_OR_RETURN(const auto cameras, world.Cameras(state));
    requests.push_back({.state = state, .camera = cameras.front()});
  }
  RETURN_IF_ERROR(world.Render(requests, {}).status());
  return States();
}

}  // namespace

absl::StatusOr<WarmUpTimes> WarmUp(DeviceThread& device, const WorldHandle& world, uint32_t rows,
                                   const Clock& clock) {
  const auto call = std::make_shared<CallHandle>(absl::InfiniteFuture());
  // One turn of the device, which learns what it costs: `function` takes the states of the turn
  // before.
  const auto turn = [&](Stage stage, std::function<absl::StatusOr<States>(World&)> function,
                        absl::Duration& time) {
    std::promise<absl::StatusOr<States>> done;
    const auto timed = [&](World& on) {
      const absl::Time start = clock.Now();
      auto states = function(on);
      time = clock.Now() - start;
      return states;
    };
    device.Submit(std::make_unique<WorldCall<States>>(
                      call, world, timed, Answer<States>([&](absl::StatusOr<States> s) {
                        done.set_value(std::move(s));
                      }),
                      Demand{.stage = stage, .rows = static_cast<int>(rows)}),
                  Admission::kAlways);
    return done.get_future().get();
  };
  WarmUpTimes times;
  ASSIGN_OR_RETURN(States states,
                   turn(
                       Stage::kReset, [&](World& on) { return ResetRows(on, rows); }, times.reset));
  ASSIGN_OR_RETURN(states,
                   turn(
                       Stage::kOther, [&](World& on) { return StepRows(on, states); }, times.step));
  RETURN_IF_ERROR(
      turn(
          Stage::kRender, [&](World& on) { return RenderRows(on, states); }, times.render)
          .status());
  return times;
}

}  // namespace gwm::server
