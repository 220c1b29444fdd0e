#include "engine/base/gpu_stream.h"
#include "engine/scene/raster_pass.h"
#include "kernels/render.h"

namespace gwm {
namespace {

class CpuRasterPass : public RasterPass {
 public:
  using RasterPass::RasterPass;

  Tensors Forward(const Tensors& inputs) override {
    Tensors images = EmptyImages(inputs, *this);
    const torch::Tensor backgrounds = Backgrounds(inputs, options);
    CheckKernel(kernels::RenderForward(GaussianInputsOf(inputs), CameraInputsOf(inputs, *this),
                                       KernelOptions(options), backgrounds.const_data_ptr<float>(),
                                       OutputsOf(images), &scratch_, Context()),
                "renderer");
    return images;
  }

  void Backward(const Tensors& inputs, const Tensors& grads, const Tensors& out) override {
    const torch::Tensor backgrounds = Backgrounds(inputs, options);
    CheckKernel(kernels::RenderBackward(GaussianInputsOf(inputs), CameraInputsOf(inputs, *this),
                                        KernelOptions(options), backgrounds.const_data_ptr<float>(),
                                        OutputGradsOf(grads), GaussianGradsOf(out),
                                        /*grad_background=*/nullptr, &scratch_, Context()),
                "gradient of the renderer");
  }

 private:
  kernels::CpuContext Context() const {
    kernels::CpuContext context;
    context.pool = options.pool.get();
    return context;
  }

  kernels::RenderScratch scratch_;
};

}  // namespace

RasterPassPtr MakeCpuRasterPass(int64_t height, int64_t width, const SplatOptions& options) {
  return c10::make_intrusive<CpuRasterPass>(height, width, options);
}

}  // namespace gwm
