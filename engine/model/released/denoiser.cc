#include "engine/model/released/denoiser.h"

namespace gwm::released {
namespace {

// [B] -> [B, 1, 1, 1]
torch::Tensor PerFrame(const torch::Tensor& x) { return x.view({-1, 1, 1, 1}); }

// Mean squared error; with a mask [B] only rows that it keeps count.
torch::Tensor SquaredError(const torch::Tensor& output, const torch::Tensor& target,
                           const torch::Tensor& mask) {
  const torch::Tensor squared = (output - target).square();
  if (!mask.defined()) return squared.mean();
  const auto per_frame = static_cast<double>(squared.numel() / squared.size(0));
  return (PerFrame(mask) * squared).sum() / (mask.sum() * per_frame + 1e-8);
}

}  // namespace

Conditioners ComputeConditioners(const torch::Tensor& sigma, const torch::Tensor& sigma_context,
                                 double sigma_data, double sigma_offset_noise) {
  const double data_variance = sigma_data * sigma_data;
  const torch::Tensor total = (sigma.square() + sigma_offset_noise * sigma_offset_noise).sqrt();
  const torch::Tensor variance = total.square() + data_variance;
  Conditioners c;
  c.c_in = variance.rsqrt();
  c.c_skip = data_variance / variance;
  c.c_out = total * c.c_skip.sqrt();
  c.c_noise = total.log() / 4;
  c.c_noise_context =
      sigma_context.defined() ? sigma_context.log() / 4 : torch::zeros_like(c.c_noise);
  return c;
}

torch::Tensor WrapOutput(const torch::Tensor& denoised, OutputWrap wrap) {
  if (wrap == OutputWrap::kRaw) return denoised;
  const torch::Tensor level = (denoised.clamp(-1, 1) + 1) / 2 * 255;
  return level.trunc() / 255 * 2 - 1;
}

DenoiserImpl::DenoiserImpl(const DenoiserOptions& denoiser_options) : options(denoiser_options) {
  inner_model = register_module("inner_model", Dit(options.dit));
}

torch::Tensor DenoiserImpl::ModelOutput(const torch::Tensor& noisy, const torch::Tensor& sigma,
                                        const torch::Tensor& sigma_context,
                                        const torch::Tensor& context, const torch::Tensor& action) {
  const Conditioners c =
      ComputeConditioners(sigma, sigma_context, options.sigma_data, options.sigma_offset_noise);
  return inner_model->forward(noisy * PerFrame(c.c_in), c.c_noise, c.c_noise_context,
                              context / options.sigma_data, action);
}

torch::Tensor DenoiserImpl::Denoise(const torch::Tensor& noisy, const torch::Tensor& sigma,
                                    const torch::Tensor& sigma_context,
                                    const torch::Tensor& context, const torch::Tensor& action) {
  torch::NoGradGuard no_grad;
  const torch::Tensor sigmas = sigma.reshape({-1}).expand({noisy.size(0)});
  const Conditioners c =
      ComputeConditioners(sigmas, sigma_context, options.sigma_data, options.sigma_offset_noise);
  const torch::Tensor output = ModelOutput(noisy, sigmas, sigma_context, context, action);
  return WrapOutput(PerFrame(c.c_skip) * noisy + PerFrame(c.c_out) * output, options.wrap);
}

FrameResult DenoiserImpl::PredictFrame(const torch::Tensor& target, const FrameNoise& noise,
                                       const torch::Tensor& context, const torch::Tensor& action) {
  FrameResult frame;
  frame.sigma = (noise.sigma * options.sigma_scale + options.sigma_loc)
                    .exp()
                    .clamp(options.sigma_min, options.sigma_max);
  frame.noisy =
      target + options.sigma_offset_noise * noise.offset + PerFrame(frame.sigma) * noise.eps;
  frame.model_output = ModelOutput(frame.noisy, frame.sigma, {}, context, action);
  return frame;
}

DenoiserLoss DenoiserImpl::Loss(const torch::Tensor& frames, const torch::Tensor& actions,
                                const torch::Tensor& mask, const std::vector<FrameNoise>& noise) {
  const int64_t n = options.dit.context_length, steps = frames.size(1) - n;
  TORCH_CHECK_VALUE(steps == static_cast<int64_t>(noise.size()), "denoiser loss: ", noise.size(),
                    " draws for ", steps, " target frames");
  std::vector<torch::Tensor> history = frames.unbind(1);
  DenoiserLoss result;
  for (int64_t i = 0; i < steps; ++i) {
    const torch::Tensor target = frames.select(1, n + i);
    const std::vector<torch::Tensor> past(history.begin() + i, history.begin() + i + n);
    const torch::Tensor action =
        actions.defined() ? actions.narrow(1, n + i - 1, 1) : torch::Tensor();
    FrameResult frame = PredictFrame(target, noise[i], torch::cat(past, 1), action);
    const Conditioners c =
        ComputeConditioners(frame.sigma, {}, options.sigma_data, options.sigma_offset_noise);
    const torch::Tensor wanted = (target - PerFrame(c.c_skip) * frame.noisy) / PerFrame(c.c_out);
    const torch::Tensor kept = mask.defined() ? mask.select(1, n + i) : torch::Tensor();
    const torch::Tensor error = SquaredError(frame.model_output, wanted, kept);
    result.loss = result.loss.defined() ? result.loss + error : error;
    const torch::Tensor denoised =
        PerFrame(c.c_skip) * frame.noisy + PerFrame(c.c_out) * frame.model_output;
    frame.denoised = WrapOutput(denoised.detach(), options.wrap);
    history[n + i] = frame.denoised;
    result.frames.push_back(std::move(frame));
  }
  result.loss = result.loss / steps;
  return result;
}

}  // namespace gwm::released
