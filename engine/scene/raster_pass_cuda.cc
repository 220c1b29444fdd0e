#include <algorithm>
#include <limits>

#include "engine/base/gpu_stream.h"
#include "engine/scene/raster_pass.h"
#include "kernels/render_cuda.h"

namespace gwm {
namespace {

// Room for (tile, splat) pairs at first: what small splats need with some to spare.
constexpr int64_t kPairsPerSplat = 4;
constexpr int64_t kLeastPairs = 4096;
constexpr int64_t kMostPairs = std::numeric_limits<int32_t>::max();

class CudaRasterPass : public RasterPass {
 public:
  CudaRasterPass(int64_t height, int64_t width, const SplatOptions& options, bool with_backward)
      : RasterPass(height, width, options), with_backward_(with_backward) {}

  Tensors Forward(const Tensors& inputs) override {
    Tensors images = EmptyImages(inputs, *this);
    const torch::Tensor backgrounds = Backgrounds(inputs, options);
    Resize(inputs, std::max(kLeastPairs, kPairsPerSplat * inputs[kMeans].size(1)));
    Draw(inputs, backgrounds, images);
    // A view without room was drawn without splats: its images are not valid.
    if (const int64_t needed = PairsNeeded(); needed > workspace_.sizes.pair_capacity) {
      TORCH_CHECK(needed < kMostPairs, "renderer: a view has more than ", kMostPairs,
                  " pairs of a tile and a splat");
      Resize(inputs, needed);
      Draw(inputs, backgrounds, images);
    }
    return images;
  }

  void Backward(const Tensors& inputs, const Tensors& grads, const Tensors& out) override {
    const torch::Tensor backgrounds = Backgrounds(inputs, options);
    CheckKernel(kernels::RenderBackwardCuda(
                    GaussianInputsOf(inputs), CameraInputsOf(inputs, *this), KernelOptions(options),
                    backgrounds.const_data_ptr<float>(), OutputGradsOf(grads), GaussianGradsOf(out),
                    /*grad_background=*/nullptr, workspace_, CurrentGpuStream(memory_.device())),
                "gradient of the renderer");
  }

 private:
  void Resize(const Tensors& inputs, int64_t pair_capacity) {
    const kernels::RenderCudaSizes sizes = {
        .num_views = inputs[kViewmats].size(0) * inputs[kViewmats].size(1),
        .num_gaussians = inputs[kMeans].size(1),
        .width = static_cast<int>(width),
        .height = static_cast<int>(height),
        .pair_capacity = std::min(pair_capacity, kMostPairs),
        .backward = with_backward_};
    const int64_t bytes = kernels::RenderCudaBytes(sizes);
    TORCH_CHECK(bytes >= 0, "renderer: a size is out of range");
    memory_ = torch::empty({bytes}, inputs[kMeans].options().dtype(torch::kByte));
    workspace_ = kernels::LayOutRenderWorkspace(sizes, memory_.mutable_data_ptr());
  }

  void Draw(const Tensors& inputs, const torch::Tensor& backgrounds, const Tensors& images) const {
    CheckKernel(kernels::RenderForwardCuda(GaussianInputsOf(inputs), CameraInputsOf(inputs, *this),
                                           KernelOptions(options),
                                           backgrounds.const_data_ptr<float>(), OutputsOf(images),
                                           workspace_, CurrentGpuStream(memory_.device())),
                "renderer");
  }

  int64_t PairsNeeded() const {
    if (workspace_.sizes.num_views == 0) return 0;
    const auto needed =
        torch::from_blob(workspace_.state.pairs_needed, {workspace_.sizes.num_views},
                         memory_.options().dtype(torch::kInt));
    return needed.max().item<int32_t>();
  }

  const bool with_backward_;
  torch::Tensor memory_;  // of the workspace
  kernels::RenderCudaWorkspace workspace_;
};

}  // namespace

RasterPassPtr MakeCudaRasterPass(int64_t height, int64_t width, const SplatOptions& options,
                                 bool with_backward) {
  return c10::make_intrusive<CudaRasterPass>(height, width, options, with_backward);
}

}  // namespace gwm
