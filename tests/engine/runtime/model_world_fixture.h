// What the tests of a ModelWorld share.
#ifndef GWM_TESTS_ENGINE_RUNTIME_MODEL_WORLD_FIXTURE_H_
#define GWM_TESTS_ENGINE_RUNTIME_MODEL_WORLD_FIXTURE_H_

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/engine/runtime/world_fixture.h"

namespace gwm::testing {

// Everything that a step shows, as bytes.
struct Shown {
  std::string latents, rgb, depth;
  float reward = 0, success_probability = 0;
  std::optional<float> expected_error;
  bool operator==(const Shown&) const = default;
};

class ModelWorldTest : public WorldTest {
 protected:
  static Shown Show(World& world, const StepRow& row) {
    Shown shown{.reward = row.reward,
                .success_probability = row.success_probability,
                .expected_error = row.expected_error};
    shown.latents = world.Latents(row.next)->latents.data;
    const auto camera = world.Cameras(row.next).value()[1];
    const auto views =
        world.Render({{.state = row.next, .camera = camera}},
                     {.outputs = kRenderRgb | kRenderDepth, .rgb_dtype = DType::kF32});
    EXPECT_TRUE(views.ok()) << views.status();
    shown.rgb = (*views)[0].rgb.data;
    shown.depth = (*views)[0].depth.data;
    return shown;
  }

  // `steps` steps of these rows together; row r takes the actions and the noise of environment
  // `rows[r]`.
  static std::vector<Shown> Play(World& world, const std::vector<uint64_t>& rows, uint32_t steps,
                                 uint64_t seed = 9) {
    auto states = ResetTo(world, rows);
    std::vector<StepRow> last;
    for (uint32_t t = 0; t < steps; ++t) {
      std::vector<std::vector<float>> actions;
      std::vector<StepRequest> requests;
      for (uint64_t row : rows) actions.push_back(Action(row, t));
      for (size_t i = 0; i < rows.size(); ++i) {
        requests.push_back(
            {.state = states[i],
             .action = actions[i],
             .noise = {.seed = seed, .env = static_cast<uint32_t>(rows[i]), .step = t}});
      }
      auto result = world.Step(requests, {});
      EXPECT_TRUE(result.ok()) << result.status();
      last = std::move(result).value();
      for (size_t i = 0; i < rows.size(); ++i) states[i] = last[i].next;
    }
    std::vector<Shown> shown;
    for (const auto& row : last) shown.push_back(Show(world, row));
    return shown;
  }

  static absl::StatusOr<std::vector<StepRow>> StepOnce(World& world, const StatePtr& state,
                                                       std::vector<float> action, int calls = 0) {
    return world.Step({{.state = state, .action = action, .noise = {.seed = 3}}},
                      {.sampler_calls = calls});
  }
  static absl::Status ResetStatus(World& world, const OwnedFrames& frames) {
    return world.Reset({{.frames = frames.view(), .pool_index = {}}}).status();
  }
};

}  // namespace gwm::testing

#endif  // GWM_TESTS_ENGINE_RUNTIME_MODEL_WORLD_FIXTURE_H_
