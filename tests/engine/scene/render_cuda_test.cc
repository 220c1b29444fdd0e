// The renderer on a GPU beside the one on the CPU. Skipped visibly where there is no GPU.
#include <gtest/gtest.h>
#include <torch/cuda.h>

#include "engine/scene/render.h"
#include "tests/engine/scene/scene_builders.h"

namespace gwm {
namespace {

using testing::RandomScene;
using testing::SeededGenerator;
using testing::TestCamera;

class RenderCudaTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!torch::cuda::is_available()) GTEST_SKIP() << "no CUDA device";
  }

  static Cameras TwoCameras(torch::Device device) {
    const std::vector<Camera> cameras = {TestCamera(40, 24, 0.4), TestCamera(40, 24, 1.9)};
    return CamerasFrom(cameras, device);
  }
};

double MaxDifference(const torch::Tensor& a, const torch::Tensor& b) {
  return (a.cpu() - b.cpu()).abs().max().item<double>();
}

TEST_F(RenderCudaTest, ImagesAreThoseOfTheCpu) {
  const Gaussians scene = RandomScene(7, 300, 2);
  const SplatOptions options{.background = {0.2f, 0.5f, 0.9f}};
  const RenderResult want = Render(scene, TwoCameras(torch::kCPU), options);
  const RenderResult got = Render(scene.To(torch::kCUDA), TwoCameras(torch::kCUDA), options);
  EXPECT_TRUE(got.rgb.is_cuda());
  EXPECT_LT(MaxDifference(got.rgb, want.rgb), 1e-5);
  EXPECT_LT(MaxDifference(got.alpha, want.alpha), 1e-5);
  EXPECT_LT(MaxDifference(got.depth, want.depth), 1e-4);
}

TEST_F(RenderCudaTest, ASceneWithMorePairsThanRoomIsDrawnWhole) {
  Gaussians scene = RandomScene(8, 2000, 0);
  scene.log_scales = scene.log_scales + 2.5;  // each covers many tiles
  const auto cameras = [](torch::Device device) {
    const std::vector<Camera> one = {TestCamera(256, 256, 0.4)};
    return CamerasFrom(one, device);
  };
  const RenderResult want = Render(scene, cameras(torch::kCPU));
  const RenderResult got = Render(scene.To(torch::kCUDA), cameras(torch::kCUDA));
  EXPECT_GT(want.alpha.mean().item<double>(), 0.2);
  EXPECT_LT(MaxDifference(got.rgb, want.rgb), 1e-4);
}

TEST_F(RenderCudaTest, GradientsAreThoseOfTheCpuAndReproducible) {
  const auto gradients = [](torch::Device device) {
    const Gaussians scene = RandomScene(9, 200, 1).To(device);
    std::vector<torch::Tensor> leaves;
    Gaussians leaf = scene;
    for (torch::Tensor* member :
         {&leaf.means, &leaf.log_scales, &leaf.quats, &leaf.sh, &leaf.opacity_logits}) {
      *member = member->detach().clone().requires_grad_(true);
      leaves.push_back(*member);
    }
    const RenderResult image = Render(leaf, TwoCameras(device));
    torch::Generator generator = SeededGenerator(99);
    const auto weights = torch::randn(image.rgb.sizes(), generator).to(device);
    ((image.rgb * weights).mean() + image.alpha.mean() + image.depth.mean()).backward();
    std::vector<torch::Tensor> result;
    for (const auto& t : leaves) result.push_back(t.grad().cpu());
    return result;
  };
  const auto want = gradients(torch::kCPU), got = gradients(torch::kCUDA);
  const auto again = gradients(torch::kCUDA);
  for (size_t i = 0; i < want.size(); ++i) {
    const double largest = want[i].abs().max().item<double>();
    EXPECT_LT(MaxDifference(got[i], want[i]), 1e-4 * largest + 1e-8) << i;
    EXPECT_TRUE(torch::equal(got[i], again[i])) << i;
  }
}

}  // namespace
}  // namespace gwm
