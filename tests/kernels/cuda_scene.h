// A RasterScene in device memory, and one call of the device's renderer on it.
#ifndef GWM_TESTS_KERNELS_CUDA_SCENE_H_
#define GWM_TESTS_KERNELS_CUDA_SCENE_H_

#include <memory>
#include <vector>

#include "kernels/render_cuda.h"
#include "tests/kernels/cuda_twin_support.h"
#include "tests/kernels/raster_scene.h"

namespace gwm::kernels {

struct CudaSceneInputs {
  explicit CudaSceneInputs(const RasterScene& scene);
  OnDevice<float> means, quats, scales, opacities, colors, viewmats, intrinsics, background;
  GaussianInputs gaussians;
  CameraInputs cameras;
};

// A workspace with room for `pair_capacity` pairs per view, and the images of its last render.
class CudaScene {
 public:
  CudaScene(const RasterScene& scene, int64_t pair_capacity);

  void Render(GpuStream stream = nullptr);
  RasterImages ReadImages() const;
  // Renders, then as RenderGradients of raster_scene.h.
  SceneGradients Gradients(const RasterImages& weights);
  std::vector<int32_t> ReadPairsNeeded() const;
  const RenderCudaWorkspace& workspace() const { return workspace_; }
  // n values at a pointer of the workspace.
  template <typename T>
  static std::vector<T> ReadArray(const T* data, int64_t n) {
    std::vector<T> values(n);
    EXPECT_EQ(cudaMemcpy(values.data(), data, n * sizeof(T), cudaMemcpyDeviceToHost), cudaSuccess);
    return values;
  }

 private:
  RasterScene scene_;
  CudaSceneInputs inputs_;
  OnDevice<float> rgb_, alpha_, depth_;
  OnDevice<uint8_t> memory_;
  RenderCudaWorkspace workspace_;
};

}  // namespace gwm::kernels

#endif  // GWM_TESTS_KERNELS_CUDA_SCENE_H_
