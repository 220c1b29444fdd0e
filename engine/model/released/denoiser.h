// The released denoiser: EDM preconditioning with offset noise around the DiT, an optional 8-bit
// wrap of its output, and the autoregressive training loss.
//
//   s'     = sqrt(sigma^2 + offset^2)
//   c_in   = 1 / sqrt(s'^2 + d^2)      c_skip = d^2 / (s'^2 + d^2)      c_out = s' d / sqrt(s'^2 +
//   d^2) D(x)   = c_skip x + c_out F(c_in x, ln(s') / 4, context / d, action)           (d =
//   sigma_data)
#ifndef GWM_ENGINE_MODEL_RELEASED_DENOISER_H_
#define GWM_ENGINE_MODEL_RELEASED_DENOISER_H_

#include <torch/torch.h>

#include <vector>

#include "engine/model/released/dit.h"

namespace gwm::released {

// What the wrap does to a denoised frame.
enum class OutputWrap {
  kRaw,        // nothing
  kQuantized,  // clamp to [-1, 1], then 256 levels by truncation of 255 (d + 1) / 2
};

struct DenoiserOptions {
  double sigma_data = 0.5;
  double sigma_offset_noise = 0.1;
  double sigma_loc = -1.2;  // training: ln sigma ~ N(loc, scale^2), clipped to [min, max]
  double sigma_scale = 1.2;
  double sigma_min = 2e-3;
  double sigma_max = 20.0;
  OutputWrap wrap = OutputWrap::kQuantized;
  DitOptions dit;
};

// Each [B], f32.
struct Conditioners {
  torch::Tensor c_in, c_skip, c_out;
  torch::Tensor c_noise;          // ln(s') / 4
  torch::Tensor c_noise_context;  // ln(sigma_context) / 4 without offset; 0 for a clean context
};

// sigma: [B]. sigma_context: [B], undefined for a clean context.
Conditioners ComputeConditioners(const torch::Tensor& sigma, const torch::Tensor& sigma_context,
                                 double sigma_data, double sigma_offset_noise);

torch::Tensor WrapOutput(const torch::Tensor& denoised, OutputWrap wrap);

// The standard normal draws of one target frame, in the order in which the public code takes them.
struct FrameNoise {
  torch::Tensor sigma;   // [B]
  torch::Tensor offset;  // [B, C, 1, 1]
  torch::Tensor eps;     // [B, C, H, W]
};

struct FrameResult {
  torch::Tensor sigma;         // [B]
  torch::Tensor noisy;         // [B, C, H, W]
  torch::Tensor model_output;  // [B, C, H, W]
  torch::Tensor denoised;      // [B, C, H, W], wrapped, detached
};

struct DenoiserLoss {
  torch::Tensor loss;  // scalar, differentiable
  std::vector<FrameResult> frames;
};

struct DenoiserImpl : torch::nn::Module {
  explicit DenoiserImpl(const DenoiserOptions& options);

  // F of the formula above. noisy: [B, C, H, W]; sigma: [B]; sigma_context: [B] or undefined;
  // context: [B, T * C, H, W], unscaled; action: [B, 1, A] or undefined. Returns [B, C, H, W].
  torch::Tensor ModelOutput(const torch::Tensor& noisy, const torch::Tensor& sigma,
                            const torch::Tensor& sigma_context, const torch::Tensor& context,
                            const torch::Tensor& action);

  // The denoised frame after the wrap, without gradient. Arguments as in ModelOutput; sigma may
  // also be a scalar.
  torch::Tensor Denoise(const torch::Tensor& noisy, const torch::Tensor& sigma,
                        const torch::Tensor& sigma_context, const torch::Tensor& context,
                        const torch::Tensor& action);

  // frames: [B, T, C, H, W]; actions: [B, T, A]; mask: [B, T], 1 for frames that count, undefined
  // for all. Target frame n + i has the n frames before it as context, where the own denoised frame
  // replaces each frame that was a target already; its action is that of frame n + i - 1. The loss
  // is the mean over target frames of the mean squared error to (frame - c_skip noisy) / c_out.
  // noise: one entry per target frame, T - n of them; throws c10::Error otherwise.
  DenoiserLoss Loss(const torch::Tensor& frames, const torch::Tensor& actions,
                    const torch::Tensor& mask, const std::vector<FrameNoise>& noise);

  DenoiserOptions options;
  Dit inner_model{nullptr};

 private:
  FrameResult PredictFrame(const torch::Tensor& target, const FrameNoise& noise,
                           const torch::Tensor& context, const torch::Tensor& action);
};
TORCH_MODULE(Denoiser);

}  // namespace gwm::released

#endif  // GWM_ENGINE_MODEL_RELEASED_DENOISER_H_
