// The front-end without weights: every pixel becomes one Gaussian at its measured depth.
#ifndef GWM_ENGINE_PERCEPTION_RGBD_H_
#define GWM_ENGINE_PERCEPTION_RGBD_H_

#include <torch/torch.h>

#include "engine/perception/frontend.h"

namespace gwm {

struct RgbdOptions {
  double scale_px = 0.5;    // standard deviation in pixels of the own view; .3 sharpens this view, .5 fits novel views
  double opacity = 0.99;
  double far_m = 6;         // where pixels without depth go: a shell seen through the rest
};

// N = V * H * W Gaussians in (view, row, column) order: mean = unprojected pixel centre, isotropic scale = scale_px * z / f,
// identity rotation, SH degree 0. Leading batch dimensions are kept.
Gaussians GaussiansFromRgbd(const Views& views, const RgbdOptions& options = {});

// u16 millimetres or f32 metres -> f32 metres; values that are not positive and finite become 0 = nothing hit.
torch::Tensor DepthInMetres(const torch::Tensor& depth);
// u8 or f32 -> f32 in [0, 1].
torch::Tensor RgbInUnit(const torch::Tensor& rgb);

class RgbdFrontend : public Frontend {
 public:
  explicit RgbdFrontend(const RgbdOptions& options = {}) : options_(options) {}
  Gaussians Encode(const Views& views) const override { return GaussiansFromRgbd(views, options_); }

 private:
  RgbdOptions options_;
};

}  // namespace gwm

#endif  // GWM_ENGINE_PERCEPTION_RGBD_H_
