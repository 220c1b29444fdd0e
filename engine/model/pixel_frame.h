// RGB-D frames as network input: colour and inverse depth per pixel, and their one-to-one relation
// to pixel Gaussians.
#ifndef GWM_ENGINE_MODEL_PIXEL_FRAME_H_
#define GWM_ENGINE_MODEL_PIXEL_FRAME_H_

#include <torch/torch.h>

#include "engine/model/tokenizer.h"
#include "engine/scene/render.h"

namespace gwm {

// Colour and inverse depth: f32 [B, V, 4, H, W]; channels 0..2 colour in [0, 1], channel 3 inverse
// depth in 1/m. rgb: u8 or f32 in [0, 1] [B, V, H, W, 3]; depth_m: f32 [B, V, H, W], 0 = nothing
// hit, which becomes far_m.
torch::Tensor PixelsFromRgbd(const torch::Tensor& rgb, const torch::Tensor& depth_m, double far_m);

// The same from pixel Gaussians: colour of degree 0, depth of the mean in its own camera.
torch::Tensor PixelsFromScene(const SceneBatch& scene);

// A scene of pixel Gaussians with colours that render to the images it was taken from (FitColours
// of perception/rgbd.h; the colours may leave [0, 1]). 0 passes: unchanged. Without gradient.
SceneBatch FitToOwnViews(SceneBatch scene, int64_t passes);

// pixels [B, V, 4, H, W] seen by the cameras of `like` -> [B, V*H*W, ...]. Differentiable.
Gaussians GaussiansFromPixels(const torch::Tensor& pixels, const SceneBatch& like,
                              double gaussian_size);

// Real frames -> scene. Shapes as in PixelsFromRgbd; intrinsics [B, V, 3, 3], world_from_cam [B, V,
// 4, 4].
SceneBatch SceneFromPixels(const torch::Tensor& pixels, const torch::Tensor& intrinsics,
                           const torch::Tensor& world_from_cam, double gaussian_size);

// Rendering of a decoded state: behind everything lies the mean colour of its Gaussians, the best
// guess for what no camera saw (with black, a camera moved by 5 cm loses 5 dB).
SplatOptions StateRenderOptions(const Gaussians& gaussians);

}  // namespace gwm

#endif  // GWM_ENGINE_MODEL_PIXEL_FRAME_H_
