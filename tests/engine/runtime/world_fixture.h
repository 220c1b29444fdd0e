// A world behind engine/api, opened from a small random checkpoint on disk.
#ifndef GWM_TESTS_ENGINE_RUNTIME_WORLD_FIXTURE_H_
#define GWM_TESTS_ENGINE_RUNTIME_WORLD_FIXTURE_H_

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "engine/api/world.h"
#include "engine/checkpoint/checkpoint.h"
#include "engine/io/file.h"
#include "engine/train/reset_pool.h"
#include "tests/engine/io/test_support.h"
#include "tests/engine/model/model_builders.h"
#include "tests/fakes/toy_scenes.h"

namespace gwm::testing {

// The newest frames of an episode as the engine's border takes them; owns the bytes. May be changed
// before use.
struct OwnedFrames {
  HostTensor rgb, depth_mm, intrinsics, world_from_cam, actions;

  explicit OwnedFrames(uint64_t seed, int64_t frames = 2) {
    auto e = ToyEpisode({.seed = seed, .frames = frames});
    rgb = std::move(e.rgb);
    depth_mm = std::move(e.depth_mm);
    intrinsics = std::move(e.intrinsics);
    world_from_cam = std::move(e.world_from_cam);
    const size_t row = kToyActionDim * sizeof(float);
    actions = HostTensor{DType::kF32, {frames - 1, kToyActionDim}, e.action.data.substr(row)};
  }
  RgbdFrames view() const {
    return {rgb, depth_mm, intrinsics, world_from_cam, TensorView(actions)};
  }
};

class WorldTest : public ::testing::TestWithParam<std::string> {
 protected:
  // states: capacity of the pool; 0: the default.
  std::unique_ptr<World> Open(int64_t states = 0, bool with_pool = false) {
    const std::string dir = folder_ / "model";
    const auto pool =
        MakeResetPool(ToyDataset(3, {.seed = 50, .frames = 4}), TinyConfig(GetParam()));
    SaveOptions save;
    if (with_pool) save.reset_pool = &pool;
    EXPECT_TRUE(SaveCheckpoint(dir, *ShakenModel(GetParam()), save).ok());
    WorldOptions options{.checkpoint_dir = dir, .device = "cpu", .threads = 1};
    if (states > 0) {
      const auto probe = OpenWorld(options);
      EXPECT_TRUE(probe.ok()) << probe.status();
      options.pool_bytes = states * (*probe)->spec().state_bytes;
    }
    auto world = OpenWorld(options);
    EXPECT_TRUE(world.ok()) << world.status();
    return std::move(*world);
  }

  static std::vector<StatePtr> ResetTo(World& world, const std::vector<uint64_t>& seeds) {
    std::vector<OwnedFrames> frames;
    for (uint64_t seed : seeds) frames.emplace_back(seed);
    std::vector<ResetRequest> rows;
    for (const auto& f : frames) rows.push_back({.frames = f.view(), .pool_index = {}});
    auto states = world.Reset(rows);
    EXPECT_TRUE(states.ok()) << states.status();
    return states.value();
  }

  static std::vector<float> Action(uint64_t row, uint64_t step) {
    std::vector<float> action;
    for (uint64_t i = 0; i < 4; ++i)
      action.push_back(static_cast<float>((row * 7 + step * 3 + i * 5) % 11) / 5.5F - 1);
    return action;
  }

  io::ScratchFolder folder_;
};

}  // namespace gwm::testing

#endif  // GWM_TESTS_ENGINE_RUNTIME_WORLD_FIXTURE_H_
