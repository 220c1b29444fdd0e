#include "server/models/warm_up.h"

#include <algorithm>
#include <array>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "server/base/status.h"
#include "server/work/perception_work.h"

namespace gwm::server {
namespace {

// A grey wall, one metre away: for worlds that ship no frames.
struct GreyWall {
  explicit GreyWall(const WorldSpec& spec)
      : rgb(HostTensor::Zeros(DType::kU8, {1, spec.views, spec.height, spec.width, 3})),
        depth_mm(HostTensor::Zeros(DType::kU16, {1, spec.views, spec.height, spec.width})),
        intrinsics(HostTensor::Zeros(DType::kF32, {spec.views, 3, 3})),
        world_from_cam(HostTensor::Zeros(DType::kF32, {spec.views, 4, 4})) {
    std::ranges::fill(rgb.mutable_values<uint8_t>(), uint8_t{128});
    std::ranges::fill(depth_mm.mutable_values<uint16_t>(), uint16_t{1000});
    const auto focal = static_cast<float>(spec.width);
    const std::array<float, 9> k = {focal, 0, focal / 2, 0, focal, focal / 2, 0, 0, 1};
    for (size_t view = 0; view < static_cast<size_t>(spec.views); ++view) {
      std::ranges::copy(k, intrinsics.mutable_values<float>().begin() + 9 * std::ptrdiff_t(view));
      for (size_t i = 0; i < 4; ++i) world_from_cam.mutable_values<float>()[16 * view + 5 * i] = 1;
    }
  }
  RgbdFrames frames() const { return {rgb, depth_mm, intrinsics, world_from_cam, std::nullopt}; }

  HostTensor rgb, depth_mm, intrinsics, world_from_cam;
};

using States = std::vector<StatePtr>;

absl::StatusOr<States> ResetRows(World& world, uint32_t rows) {
  const GreyWall wall(world.spec());
  std::vector<ResetRequest> requests(rows);
  for (ResetRequest& request : requests) {
    if (world.spec().reset_pool_size > 0) {
      request.pool_index = 0;
    } else {
      request.frames = wall.frames();
    }
  }
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
  // One turn of the device: `function` takes the states of the turn before.
  const auto turn = [&](std::function<absl::StatusOr<States>(World&)> function,
                        absl::Duration& time) {
    std::promise<absl::StatusOr<States>> done;
    const auto timed = [&](World& on) {
      const absl::Time start = clock.Now();
      auto states = function(on);
      time = clock.Now() - start;
      return states;
    };
    device.Submit(std::make_unique<WorldCall<States>>(call, world, timed,
                                                      Answer<States>([&](absl::StatusOr<States> s) {
                                                        done.set_value(std::move(s));
                                                      }),
                                                      Demand()),
                  Admission::kAlways);
    return done.get_future().get();
  };
  WarmUpTimes times;
  ASSIGN_OR_RETURN(States states,
                   turn([&](World& on) { return ResetRows(on, rows); }, times.reset));
  ASSIGN_OR_RETURN(states, turn([&](World& on) { return StepRows(on, states); }, times.step));
  RETURN_IF_ERROR(turn([&](World& on) { return RenderRows(on, states); }, times.render).status());
  return times;
}

}  // namespace gwm::server
