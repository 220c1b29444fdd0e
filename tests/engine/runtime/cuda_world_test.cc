// A world on a GPU beside the same one on the CPU. Skipped visibly where there is no GPU.
#include <gtest/gtest.h>
#include <torch/cuda.h>

#include <cmath>

#include "tests/engine/runtime/world_fixture.h"

namespace gwm {
namespace {

class CudaWorldTest : public testing::WorldTest {
 protected:
  void SetUp() override {
    if (!torch::cuda::is_available()) GTEST_SKIP() << "no CUDA device";
  }

  std::unique_ptr<World> OpenOn(const std::string& device) {
    Open();  // writes the checkpoint
    auto world = OpenWorld(
        {.checkpoint_dir = folder_ / "model", .device = device, .threads = 1, .precision = "fp32"});
    EXPECT_TRUE(world.ok()) << world.status();
    return std::move(*world);
  }

  // Pixels 0..255 after five steps from each seed, all in one batch.
  static std::vector<std::vector<uint8_t>> FramesAfterSteps(World& world,
                                                            const std::vector<uint64_t>& seeds) {
    auto states = ResetTo(world, seeds);
    for (uint32_t step = 0; step < 5; ++step) {
      std::vector<std::vector<float>> actions;
      for (const uint64_t seed : seeds) actions.push_back(Action(seed, step));
      std::vector<StepRequest> rows;
      for (size_t i = 0; i < states.size(); ++i) {
        rows.push_back(
            {.state = states[i], .action = actions[i], .noise = {.seed = seeds[i], .step = step}});
      }
      const auto stepped = world.Step(rows, {});
      EXPECT_TRUE(stepped.ok()) << stepped.status();
      for (size_t i = 0; i < states.size(); ++i) states[i] = (*stepped)[i].next;
    }
    std::vector<std::vector<uint8_t>> frames;
    for (const StatePtr& state : states) {
      const auto cameras = world.Cameras(state);
      const auto views = world.Render({{.state = state, .camera = (*cameras)[0]}},
                                      {.outputs = kRenderRgb, .rgb_dtype = DType::kU8});
      EXPECT_TRUE(views.ok()) << views.status();
      const auto pixels = (*views)[0].rgb.values<uint8_t>();
      frames.emplace_back(pixels.begin(), pixels.end());
    }
    return frames;
  }
};

double Psnr(const std::vector<uint8_t>& a, const std::vector<uint8_t>& b) {
  double squares = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double difference = (static_cast<int>(a[i]) - static_cast<int>(b[i])) / 255.0;
    squares += difference * difference;
  }
  return 10 * std::log10(static_cast<double>(a.size()) / std::max(squares, 1e-12));
}

TEST_P(CudaWorldTest, FramesAgreeWithThoseOfTheCpuTo50Db) {
  const auto cpu = OpenOn("cpu"), gpu = OpenOn("cuda");
  EXPECT_EQ(gpu->spec().device, "cuda:0");
  const auto want = FramesAfterSteps(*cpu, {1, 2}), got = FramesAfterSteps(*gpu, {1, 2});
  for (size_t i = 0; i < want.size(); ++i) EXPECT_GE(Psnr(got[i], want[i]), 50) << i;
}

TEST_P(CudaWorldTest, TheSameSeedsGiveTheSameBitsAgain) {
  const auto world = OpenOn("cuda");
  EXPECT_EQ(FramesAfterSteps(*world, {1, 2, 3}), FramesAfterSteps(*world, {1, 2, 3}));
}

INSTANTIATE_TEST_SUITE_P(Kinds, CudaWorldTest, ::testing::Values("grid", "set"),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace gwm
