#include "tests/kernels/cuda_scene.h"

#include <cmath>

namespace gwm::kernels {
namespace {

RenderCudaSizes SizesOf(const RasterScene& scene, int64_t pair_capacity) {
  return {.num_views = scene.views(),
          .num_gaussians = scene.gaussians,
          .width = scene.width,
          .height = scene.height,
          .pair_capacity = pair_capacity,
          .backward = true};
}

// 0xFF: a value that is read before it is written is NaN or -1.
std::vector<uint8_t> Unwritten(int64_t bytes) { return std::vector<uint8_t>(bytes, 0xFF); }

}  // namespace

CudaSceneInputs::CudaSceneInputs(const RasterScene& scene)
    : means(scene.means),
      quats(scene.quats),
      scales(scene.scales),
      opacities(scene.opacities),
      colors(scene.colors),
      viewmats(scene.viewmats),
      intrinsics(scene.intrinsics),
      background(scene.background),
      gaussians(scene.gaussian_inputs()),
      cameras(scene.camera_inputs()) {
  gaussians.means = means.data();
  gaussians.quats = quats.data();
  gaussians.scales = scales.data();
  gaussians.opacities = opacities.data();
  gaussians.colors = colors.data();
  cameras.viewmats = viewmats.data();
  cameras.intrinsics = intrinsics.data();
}

CudaScene::CudaScene(const RasterScene& scene, int64_t pair_capacity)
    : scene_(scene),
      inputs_(scene),
      rgb_(std::vector<float>(3 * scene.pixels(), NAN)),
      alpha_(std::vector<float>(scene.pixels(), NAN)),
      depth_(std::vector<float>(scene.pixels(), NAN)),
      memory_(Unwritten(RenderCudaBytes(SizesOf(scene, pair_capacity)))),
      workspace_(LayOutRenderWorkspace(SizesOf(scene, pair_capacity), memory_.data())) {}

void CudaScene::Render(GpuStream stream) {
  const RasterOutputs out = {rgb_.data(), alpha_.data(), depth_.data()};
  EXPECT_EQ(RenderForwardCuda(inputs_.gaussians, inputs_.cameras, scene_.options,
                              inputs_.background.data(), out, workspace_, stream),
            KernelStatus::kOk);
}

RasterImages CudaScene::ReadImages() const { return {rgb_.Read(), alpha_.Read(), depth_.Read()}; }

SceneGradients CudaScene::Gradients(const RasterImages& weights) {
  Render();
  const OnDevice<float> rgb(weights.rgb), alpha(weights.alpha), depth(weights.depth);
  const auto zeros = [](const std::vector<float>& like) { return std::vector<float>(like.size()); };
  const OnDevice<float> means(zeros(scene_.means)), quats(zeros(scene_.quats)),
      scales(zeros(scene_.scales)), opacities(zeros(scene_.opacities)),
      colors(zeros(scene_.colors)), background(std::vector<float>(scene_.background.size(), NAN));
  const GaussianGrads out = {means.data(), quats.data(), scales.data(), opacities.data(),
                             colors.data()};
  EXPECT_EQ(RenderBackwardCuda(inputs_.gaussians, inputs_.cameras, scene_.options,
                               inputs_.background.data(), {rgb.data(), alpha.data(), depth.data()},
                               out, background.data(), workspace_, nullptr),
            KernelStatus::kOk);
  return {means.Read(),     quats.Read(),  scales.Read(),
          opacities.Read(), colors.Read(), background.Read()};
}

std::vector<int32_t> CudaScene::ReadPairsNeeded() const {
  return ReadArray(workspace_.state.pairs_needed, workspace_.sizes.num_views);
}

}  // namespace gwm::kernels
