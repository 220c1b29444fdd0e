// Gaussian splatting with autograd: the front of kernels/project and kernels/raster.
//
//   auto image = Render(gaussians, cameras, {.background = {1, 1, 1}});
//   (image.rgb - target).abs().mean().backward();
//
// The tiled kernels run where the tensors lie, or on the CPU for tensors on a GPU when they were
// built without nvcc; their gradients are deterministic, and for equal inputs both devices give the
// same images.
#ifndef GWM_ENGINE_SCENE_RENDER_H_
#define GWM_ENGINE_SCENE_RENDER_H_

#include <torch/torch.h>

#include <array>
#include <memory>

#include "engine/scene/camera.h"
#include "engine/scene/gaussians.h"

namespace gwm {

namespace kernels {
class ThreadPool;
}

struct SplatOptions {
  float eps2d = 0;  // px^2 added to both diagonal entries of the 2-D covariance; 0 suits 64 x 64
  float max_alpha = 0.999f;  // a single Gaussian never covers more of a pixel than this
  float near_m = 0.01f;      // Gaussians nearer than this, or behind the camera, are not drawn
  float far_m = 1e10f;
  std::array<float, 3> background = {0, 0, 0};  // RGB behind everything
  torch::Tensor
      backgrounds;  // [B, 3] f32: one colour per scene instead of `background`; no gradient
  bool antialiased =
      false;  // scale opacities by sqrt(det before / det after) of the eps2d dilation
  // CPU threads; null: the calling thread alone. Shared because a backward pass uses it after the
  // call. The bits of the result do not depend on it. One render or backward pass at a time.
  std::shared_ptr<kernels::ThreadPool> pool;
};

// Differentiable with respect to every member of Gaussians.
struct RenderResult {
  torch::Tensor rgb;    // [V, H, W, 3] f32; in [0, 1] when all colours are
  torch::Tensor depth;  // [V, H, W] m, expected depth: sum(w z) / sum(w); 0 where alpha is 0
  torch::Tensor alpha;  // [V, H, W] in [0, 1]
};

// One scene ([N, ...]) from V cameras. Colour = max(0, 0.5 + SH(direction from the camera's
// centre)). Throws c10::ValueError on malformed input. N = 0 gives the background.
RenderResult Render(const Gaussians& gaussians, const Cameras& cameras,
                    const SplatOptions& options = {});
// B scenes ([B, N, ...]), all from the same V cameras or each from its own [B, V]: [B, V, H, W,
// ...]. A scene's result does not depend on the others.
RenderResult RenderBatch(const Gaussians& gaussians, const Cameras& cameras,
                         const SplatOptions& options = {});
// The plain Torch form, on any device: the readable twin of the kernels, O(pixels x Gaussians) in
// chunks of pixels.
RenderResult RenderPlain(const Gaussians& gaussians, const Cameras& cameras,
                         const SplatOptions& options = {});

// [..., 3, H, W] or [..., H, W, 3] f32 in [0, 1] -> u8, rounded to nearest (halves to even) and
// clamped; NaN becomes 0. No gradient.
torch::Tensor ToU8(const torch::Tensor& image);

}  // namespace gwm

#endif  // GWM_ENGINE_SCENE_RENDER_H_
