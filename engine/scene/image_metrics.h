// Image metrics. Images are [B, C, H, W] f32 in [0, 1]; results are one value per image, [B].
//
// The figure that this project reports is the PSNR of the mean squared error pooled over all
// frames: PsnrOf(mean of Mse over frames), not the mean of per-frame PSNRs (which reads several dB
// higher).
#ifndef GWM_ENGINE_SCENE_IMAGE_METRICS_H_
#define GWM_ENGINE_SCENE_IMAGE_METRICS_H_

#include <torch/torch.h>

namespace gwm {

torch::Tensor Mse(const torch::Tensor& a, const torch::Tensor& b);
torch::Tensor L1(const torch::Tensor& a, const torch::Tensor& b);
torch::Tensor Psnr(const torch::Tensor& a, const torch::Tensor& b);  // dB, peak 1
double PsnrOf(double mean_squared_error);  // dB, peak 1; capped at 100 for 0

// What happens where the 11 x 11 Gaussian window (sigma 1.5, population covariance, K1 = .01, K2 =
// .03) leaves the image.
enum class SsimBorder {
  kCrop,  // the usual definition: only pixels whose window fits count (5 pixels are cropped on each
          // side)
  kReflect,  // torchmetrics 1.9: border reflected without repeating the edge pixel, nothing cropped
  kSymmetric,  // the full map of scikit-image: border reflected with the edge pixel repeated
};
// Per-pixel SSIM: [B, C, H, W], for kCrop [B, C, H - 10, W - 10]. H and W at least 11.
torch::Tensor SsimMap(const torch::Tensor& a, const torch::Tensor& b, SsimBorder border);
torch::Tensor Ssim(const torch::Tensor& a, const torch::Tensor& b,
                   SsimBorder border = SsimBorder::kCrop);

}  // namespace gwm

#endif  // GWM_ENGINE_SCENE_IMAGE_METRICS_H_
