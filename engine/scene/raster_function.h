// The kernels as one differentiable Torch operation. Internal to engine/scene: callers use
// render.h.
#ifndef GWM_ENGINE_SCENE_RASTER_FUNCTION_H_
#define GWM_ENGINE_SCENE_RASTER_FUNCTION_H_

#include <torch/torch.h>

#include "engine/scene/render.h"

namespace gwm {

// Contiguous f32 tensors on one device, in the activated parametrisation.
struct RasterInputs {
  torch::Tensor means;       // [B, N, 3]
  torch::Tensor quats;       // [B, N, 4]
  torch::Tensor scales;      // [B, N, 3] m
  torch::Tensor opacities;   // [B, N]
  torch::Tensor sh;          // [B, N, K, 3]
  torch::Tensor viewmats;    // [B, V, 4, 4] cam_from_world; no gradient
  torch::Tensor intrinsics;  // [B, V, 3, 3]; no gradient
  int64_t height = 0;
  int64_t width = 0;
};

// rgb [B, V, H, W, 3], depth [B, V, H, W], alpha [B, V, H, W].
RenderResult Rasterise(const RasterInputs& inputs, const SplatOptions& options);

}  // namespace gwm

#endif  // GWM_ENGINE_SCENE_RASTER_FUNCTION_H_
