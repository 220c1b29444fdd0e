#include "engine/scene/image_metrics.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "engine/base/shape.h"

namespace gwm {
namespace {

constexpr int64_t kWindow = 11;
constexpr int64_t kMargin = kWindow / 2;
constexpr double kWindowSigma = 1.5;
constexpr double kC1 = 0.01 * 0.01;
constexpr double kC2 = 0.03 * 0.03;

void CheckPair(const torch::Tensor& a, const torch::Tensor& b) {
  CheckShape(a, {kAny, kAny, kAny, kAny}, "a");
  CheckShape(b, {a.size(0), a.size(1), a.size(2), a.size(3)}, "b");
}

// Indices of a line of `size` pixels with kMargin more on each side, mirrored at the border.
torch::Tensor MirrorIndices(int64_t size, bool repeat_edge, torch::Device device) {
  std::vector<int64_t> indices;
  for (int64_t i = -kMargin; i < size + kMargin; ++i) {
    int64_t index = i;
    if (index < 0) index = -index - (repeat_edge ? 1 : 0);
    if (index >= size) index = 2 * size - index - (repeat_edge ? 1 : 2);
    indices.push_back(index);
  }
  return torch::tensor(indices, torch::kInt64).to(device);
}

torch::Tensor Pad(const torch::Tensor& image, SsimBorder border) {
  if (border == SsimBorder::kCrop) return image;
  const bool repeat_edge = border == SsimBorder::kSymmetric;
  return image.index_select(2, MirrorIndices(image.size(2), repeat_edge, image.device()))
      .index_select(3, MirrorIndices(image.size(3), repeat_edge, image.device()));
}

// Weighted mean of the 11 x 11 window around each pixel where it fits. x: f64 [B * C, 1, H, W].
torch::Tensor Blur(const torch::Tensor& x) {
  torch::Tensor kernel = torch::arange(kWindow, x.options()) - static_cast<double>(kMargin);
  kernel = (-0.5 * (kernel / kWindowSigma).square()).exp();
  kernel = kernel / kernel.sum();
  const torch::Tensor rows = torch::conv2d(x, kernel.view({1, 1, kWindow, 1}));
  return torch::conv2d(rows, kernel.view({1, 1, 1, kWindow}));
}

}  // namespace

torch::Tensor Mse(const torch::Tensor& a, const torch::Tensor& b) {
  CheckPair(a, b);
  return (a - b).square().mean({1, 2, 3});
}

torch::Tensor L1(const torch::Tensor& a, const torch::Tensor& b) {
  CheckPair(a, b);
  return (a - b).abs().mean({1, 2, 3});
}

torch::Tensor Psnr(const torch::Tensor& a, const torch::Tensor& b) {
  return -10 * Mse(a, b).clamp_min(1e-10).log10();
}

double PsnrOf(double mean_squared_error) {
  return -10 * std::log10(std::max(mean_squared_error, 1e-10));
}

torch::Tensor SsimMap(const torch::Tensor& a, const torch::Tensor& b, SsimBorder border) {
  CheckPair(a, b);
  TORCH_CHECK_VALUE(a.size(2) >= kWindow && a.size(3) >= kWindow, "images are ", Describe(a),
                    ", SSIM needs at least 11 x 11 pixels");
  // f64: variances are small differences of large numbers.
  const auto prepare = [&](const torch::Tensor& image) {
    return Pad(image.to(torch::kFloat64), border).flatten(0, 1).unsqueeze(1);
  };
  const torch::Tensor x = prepare(a), y = prepare(b);
  const torch::Tensor mean_x = Blur(x), mean_y = Blur(y);
  const torch::Tensor var_x = Blur(x * x) - mean_x * mean_x;
  const torch::Tensor var_y = Blur(y * y) - mean_y * mean_y;
  const torch::Tensor cov = Blur(x * y) - mean_x * mean_y;
  const torch::Tensor map = (2 * mean_x * mean_y + kC1) * (2 * cov + kC2) /
                            ((mean_x * mean_x + mean_y * mean_y + kC1) * (var_x + var_y + kC2));
  return map.view({a.size(0), a.size(1), map.size(2), map.size(3)}).to(a.scalar_type());
}

torch::Tensor Ssim(const torch::Tensor& a, const torch::Tensor& b, SsimBorder border) {
  return SsimMap(a, b, border).mean({1, 2, 3});
}

}  // namespace gwm
