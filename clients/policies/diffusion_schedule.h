// Denoising diffusion over N training steps: noise levels, the forward process, and the two
// reverse steps. Same numbers as diffusers 0.42.1 DDPMScheduler (variance "fixed_small") and
// DDIMScheduler (set_alpha_to_one), beta schedule "squaredcos_cap_v2", timestep spacing "leading".
#ifndef GWM_CLIENTS_POLICIES_DIFFUSION_SCHEDULE_H_
#define GWM_CLIENTS_POLICIES_DIFFUSION_SCHEDULE_H_

#include <torch/torch.h>

#include <vector>

namespace gwm::policies {

enum class Prediction {
  kEpsilon,   // the noise
  kVelocity,  // sqrt(alpha_bar) noise - sqrt(1 - alpha_bar) data (arXiv 2202.00512)
};

// Constant after construction.
class DiffusionSchedule {
 public:
  // Squared-cosine betas, none above 0.999 (arXiv 2102.09672). Requires training_steps >= 1.
  explicit DiffusionSchedule(int64_t training_steps);

  int64_t training_steps() const { return static_cast<int64_t>(betas_.size()); }
  const std::vector<double>& betas() const { return betas_; }
  // Products of 1 - beta up to and including each step.
  const std::vector<double>& alpha_bars() const { return alpha_bars_; }

  // The steps that a sampler of `count` steps visits, highest first: multiples of
  // training_steps / count, rounded down. Requires 1 <= count <= training_steps.
  std::vector<int64_t> SamplingSteps(int64_t count) const;

  // data and noise [B, ...], step [B] i64.
  torch::Tensor AddNoise(const torch::Tensor& data, const torch::Tensor& noise,
                         const torch::Tensor& step) const;
  // What a network learns to predict.
  torch::Tensor Target(Prediction prediction, const torch::Tensor& data, const torch::Tensor& noise,
                       const torch::Tensor& step) const;

  struct ReverseStep {
    int64_t step = 0;   // where `sample` is
    int64_t count = 0;  // steps of the whole sampler
    Prediction prediction = Prediction::kEpsilon;
    bool clip_sample = true;  // the predicted data to [-1, 1]
  };
  // One step towards the data. `noise`, standard normal, may be undefined at step 0, where it is
  // not used.
  torch::Tensor DdpmStep(const torch::Tensor& sample, const torch::Tensor& output,
                         const torch::Tensor& noise, const ReverseStep& at) const;
  // The same with `eta` in [0, 1] of the noise; it may be undefined for eta = 0.
  torch::Tensor DdimStep(const torch::Tensor& sample, const torch::Tensor& output,
                         const torch::Tensor& noise, double eta, const ReverseStep& at) const;

 private:
  struct Decoded {
    torch::Tensor data, noise;
  };
  Decoded Decode(const torch::Tensor& sample, const torch::Tensor& output,
                 const ReverseStep& at) const;
  double PreviousAlphaBar(const ReverseStep& at) const;
  // values[step] as [B, 1, ...], like `like`.
  torch::Tensor Gather(const std::vector<double>& values, const torch::Tensor& step,
                       const torch::Tensor& like) const;

  std::vector<double> betas_, alpha_bars_;
  std::vector<double> signal_, noise_;  // square roots of alpha_bar and 1 - alpha_bar
};

}  // namespace gwm::policies

#endif  // GWM_CLIENTS_POLICIES_DIFFUSION_SCHEDULE_H_
