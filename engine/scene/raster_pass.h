// One forward pass of the renderer and what its backward pass needs, on the CPU or on a GPU.
// Internal to engine/scene: raster_function.h makes a Torch operation of it.
#ifndef GWM_ENGINE_SCENE_RASTER_PASS_H_
#define GWM_ENGINE_SCENE_RASTER_PASS_H_

#include <torch/torch.h>

#include "engine/scene/raster_function.h"
#include "kernels/project.h"
#include "kernels/raster.h"

namespace gwm {

// The order of the tensors of RasterInputs in lists of them.
enum RasterTensor { kMeans, kQuats, kScales, kOpacities, kSh, kViewmats, kIntrinsics };

struct RasterPass : torch::CustomClassHolder {
  using Tensors = torch::autograd::variable_list;

  RasterPass(int64_t height, int64_t width, const SplatOptions& options)
      : height(height), width(width), options(options) {}

  // {rgb, depth, alpha}
  virtual Tensors Forward(const Tensors& inputs) = 0;
  // After Forward of the same inputs. grads: of {rgb, depth, alpha}, contiguous f32; undefined: 0.
  // Adds the gradients of the inputs to `out` [kMeans..kSh].
  virtual void Backward(const Tensors& inputs, const Tensors& grads, const Tensors& out) = 0;

  const int64_t height;  // pixels
  const int64_t width;   // pixels
  const SplatOptions options;
};
using RasterPassPtr = c10::intrusive_ptr<RasterPass>;

RasterPassPtr MakeCpuRasterPass(int64_t height, int64_t width, const SplatOptions& options);
// The kernels on Torch's current stream. Forward waits for them once, to see whether the room for
// pairs of tiles and splats was enough; if not, it draws again with more.
RasterPassPtr MakeCudaRasterPass(int64_t height, int64_t width, const SplatOptions& options,
                                 bool with_backward);

// The views of the kernels into such lists; they live as long as the tensors.
kernels::GaussianInputs GaussianInputsOf(const RasterPass::Tensors& inputs);
kernels::CameraInputs CameraInputsOf(const RasterPass::Tensors& inputs, const RasterPass& pass);
kernels::RenderOptions KernelOptions(const SplatOptions& options);
kernels::RasterOutputs OutputsOf(const RasterPass::Tensors& images);
kernels::RasterOutputGrads OutputGradsOf(const RasterPass::Tensors& grads);
kernels::GaussianGrads GaussianGradsOf(const RasterPass::Tensors& out);
// {rgb [B, V, H, W, 3], depth, alpha [B, V, H, W]}, not filled, on the device of the inputs.
RasterPass::Tensors EmptyImages(const RasterPass::Tensors& inputs, const RasterPass& pass);
// f32 [B * V, 3], on the device of the inputs.
torch::Tensor Backgrounds(const RasterPass::Tensors& inputs, const SplatOptions& options);

}  // namespace gwm

#endif  // GWM_ENGINE_SCENE_RASTER_PASS_H_
