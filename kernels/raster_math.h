// Arithmetic of the rasteriser on one splat or one pixel, shared by CPU and CUDA: same operations
// in the same order. Internal.
#ifndef GWM_KERNELS_RASTER_MATH_H_
#define GWM_KERNELS_RASTER_MATH_H_

#include <cmath>
#include <cstdint>

#include "kernels/exp_negative.h"
#include "kernels/host_device.h"
#include "kernels/philox.h"
#include "kernels/raster.h"
#include "kernels/raster_tile.h"

namespace gwm::kernels {

inline constexpr float kSmallestAlpha = 1e-10f;  // divisor of the expected depth

inline bool ValidRaster(const RasterArgs& args) {
  return args.num_views >= 0 && args.num_gaussians >= 0 && args.width >= 0 && args.height >= 0 &&
         args.max_alpha > 0 && args.max_alpha < 1;
}

// --- One splat --------------------------------------------------------------------------------

// Pixels whose centre lies within `extent` of `center`: [begin, end).
GWM_HOST_DEVICE void PixelRange(float center, float extent, int size, int32_t* begin,
                                int32_t* end) {
  const float high = static_cast<float>(size);
  const float first = std::ceil(center - extent - 0.5f);
  const float after = std::floor(center + extent - 0.5f) + 1.0f;
  *begin = static_cast<int32_t>(first < 0.0f ? 0.0f : (first > high ? high : first));
  *end = static_cast<int32_t>(after < 0.0f ? 0.0f : (after > high ? high : after));
}

// alpha >= 1/255 needs sigma <= ln(255 o): an ellipse whose box has half widths sqrt(2 ln(255 o))
// sigma. The margin is far above the rounding of alpha, so no pixel that passes the threshold is
// left out. box [4]: x0, x1, y0, y1, end exclusive; empty for a splat that cannot be seen.
GWM_HOST_DEVICE void SplatBox(const RasterArgs& args, int64_t i, int32_t* box) {
  box[0] = box[1] = box[2] = box[3] = 0;
  const float brightest = 255.0f * args.splats.opacities[i];
  if (args.splats.radii[2 * i] <= 0 || !(brightest >= 0.999f)) return;
  const float reach = std::sqrt(2.0f * PortableLog(brightest < 1.0f ? 1.0f : brightest) + 0.01f);
  const float* mean = args.splats.means2d + 2 * i;
  const float* sigma = args.splats.sigmas + 2 * i;
  PixelRange(mean[0], reach * sigma[0] + 0.01f, args.width, &box[0], &box[1]);
  PixelRange(mean[1], reach * sigma[1] + 0.01f, args.height, &box[2], &box[3]);
}

// Tiles that a pixel box touches, in tile coordinates, end exclusive.
struct TileRect {
  int x0, x1, y0, y1;
};

GWM_HOST_DEVICE TileRect TilesOf(const int32_t* box) {
  if (box[0] >= box[1] || box[2] >= box[3]) return {0, 0, 0, 0};
  return {box[0] / kTileWidth, (box[1] - 1) / kTileWidth + 1, box[2] / kTileHeight,
          (box[3] - 1) / kTileHeight + 1};
}

GWM_HOST_DEVICE int64_t NumTilesOf(const int32_t* box) {
  const TileRect rect = TilesOf(box);
  return static_cast<int64_t>(rect.x1 - rect.x0) * (rect.y1 - rect.y0);
}

// Entry i of the splats for a tile whose first row is y0.
GWM_HOST_DEVICE void PackSplat(const RasterArgs& args, const int32_t* box, int64_t i, int y0,
                               PackedSplat* s) {
  const int begin = box[2] - y0, end = box[3] - y0;
  for (int c = 0; c < 2; ++c) s->mean[c] = args.splats.means2d[2 * i + c];
  for (int c = 0; c < 3; ++c) s->conic[c] = args.splats.conics[3 * i + c];
  for (int c = 0; c < 3; ++c) s->color_z[c] = args.splats.colors[3 * i + c];
  s->color_z[3] = args.splats.depths[i];
  s->opacity = args.splats.opacities[i];
  s->row_begin = static_cast<int16_t>(begin < 0 ? 0 : begin);
  s->row_end = static_cast<int16_t>(end > kTileHeight ? kTileHeight : end);
}

GWM_HOST_DEVICE void AddPairGrad(const PairGrad& g, PairGrad* sum) {
  sum->sigma_x += g.sigma_x;
  sum->sigma_y += g.sigma_y;
  sum->sigma_xx += g.sigma_xx;
  sum->sigma_xy += g.sigma_xy;
  sum->sigma_yy += g.sigma_yy;
  sum->opacity += g.opacity;
  for (int c = 0; c < 4; ++c) sum->color_z[c] += g.color_z[c];
}

// Applies the factors of the conic of splat i; d sigma / d mean = -(conic (pixel - mean)).
GWM_HOST_DEVICE void StoreSplatGrad(const RasterArgs& args, const PairGrad& sum, int64_t i,
                                    const RasterSplatGrads& out) {
  const float* conic = args.splats.conics + 3 * i;
  out.means2d[2 * i] = -(conic[0] * sum.sigma_x + conic[1] * sum.sigma_y);
  out.means2d[2 * i + 1] = -(conic[1] * sum.sigma_x + conic[2] * sum.sigma_y);
  out.conics[3 * i] = 0.5f * sum.sigma_xx;
  out.conics[3 * i + 1] = sum.sigma_xy;
  out.conics[3 * i + 2] = 0.5f * sum.sigma_yy;
  out.opacities[i] = sum.opacity;
  for (int c = 0; c < 3; ++c) out.colors[3 * i + c] = sum.color_z[c];
  out.depths[i] = sum.color_z[3];
}

// --- One pixel --------------------------------------------------------------------------------

// Falloff and coverage of one splat at (dx, dy) = pixel - mean; RowCoverage of raster_body.inc is
// sixteen of them.
struct PixelCoverage {
  float falloff;  // exp(-sigma)
  float raw;      // opacity * falloff
  float alpha;    // min(max_alpha, raw)
  bool drawn;     // sigma >= 0 and alpha >= 1/255
};

GWM_HOST_DEVICE PixelCoverage CoverPixel(const PackedSplat& s, float dx, float dy,
                                         float max_alpha) {
  PixelCoverage cover;
  const float sigma =
      0.5f * (s.conic[0] * (dx * dx) + s.conic[2] * (dy * dy)) + (s.conic[1] * dy) * dx;
  const float exponent = 0.0f - sigma;
  cover.falloff = ExpNegative(exponent < 0.0f ? exponent : 0.0f);
  cover.raw = s.opacity * cover.falloff;
  cover.alpha = cover.raw < max_alpha ? cover.raw : max_alpha;
  cover.drawn = sigma >= 0.0f && cover.alpha >= kAlphaThreshold;
  return cover;
}

// color_z [4]: sums of w (r, g, b, z). background [3] or null.
GWM_HOST_DEVICE void StorePixel(const float* color_z, float transmittance, const float* background,
                                int64_t pixel, const RasterOutputs& out) {
  const float alpha = 1.0f - transmittance;
  for (int c = 0; c < 3; ++c) {
    const float behind = background ? transmittance * background[c] : 0.0f;
    out.rgb[3 * pixel + c] = color_z[c] + behind;
  }
  out.alpha[pixel] = alpha;
  out.depth[pixel] = color_z[3] / (alpha < kSmallestAlpha ? kSmallestAlpha : alpha);
}

// Gradients of rgb, alpha and expected depth become gradients of the four weighted sums,
// grad_color_z [4], and of the transmittance (result: T times the gradient of alpha).
GWM_HOST_DEVICE float LoadPixelGrad(const RasterOutputGrads& grads, const float* background,
                                    int64_t pixel, float transmittance, float depth_sum,
                                    float* grad_color_z) {
  const float alpha = 1.0f - transmittance;
  float grad_alpha = grads.alpha ? grads.alpha[pixel] : 0.0f;
  grad_color_z[3] = 0.0f;
  if (grads.depth != nullptr && alpha > kSmallestAlpha) {
    grad_color_z[3] = grads.depth[pixel] / alpha;
    grad_alpha -= grads.depth[pixel] * depth_sum / (alpha * alpha);
  }
  for (int c = 0; c < 3; ++c) {
    grad_color_z[c] = grads.rgb != nullptr ? grads.rgb[3 * pixel + c] : 0.0f;
    if (background != nullptr) grad_alpha -= grad_color_z[c] * background[c];
  }
  return transmittance * grad_alpha;
}

}  // namespace gwm::kernels

#endif  // GWM_KERNELS_RASTER_MATH_H_
