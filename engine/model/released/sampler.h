// The released sampler: Euler or Heun over a Karras schedule, one frame from the frames before it.
// Its peculiarities are kept for parity: it starts from unit noise (no sigma_max factor), calls the
// denoiser at sigma rather than at the churned sigma_hat, and with context noise the noise of
// earlier steps stays in the context.
#ifndef GWM_ENGINE_MODEL_RELEASED_SAMPLER_H_
#define GWM_ENGINE_MODEL_RELEASED_SAMPLER_H_

#include <torch/torch.h>

#include <functional>
#include <limits>
#include <vector>

#include "engine/model/released/denoiser.h"

namespace gwm::released {

struct SamplerOptions {
  int64_t steps = 5;
  double sigma_min = 2e-3;
  double sigma_max = 20.0;
  double rho = 7.0;
  int order = 1;  // 1 Euler, 2 Heun
  double s_churn = 0.0;
  double s_tmin = 0.0;  // churn only where s_tmin <= sigma <= s_tmax
  double s_tmax = std::numeric_limits<double>::infinity();
  double s_noise = 1.0;
  double s_cond = 0.0;  // noise level added to the context at every step
};

// What a draw is for: a caller that replays stored draws needs to know.
enum class Draw { kChurn, kContext };
// Standard normal draws of the given shape.
using DrawNoise = std::function<torch::Tensor(Draw, torch::IntArrayRef)>;

struct Sample {
  torch::Tensor x;                        // [B, C, H, W]
  std::vector<torch::Tensor> trajectory;  // the initial noise, then x after each step
};

// sigma_i = (max^(1/rho) + i / (n - 1) (min^(1/rho) - max^(1/rho)))^rho in f32, then 0. Returns [n
// + 1].
torch::Tensor KarrasSchedule(const SamplerOptions& options);

// previous: [B, T, C, H, W]; action: [B, 1, A] or undefined; initial_noise: [B, C, H, W]. `draw` is
// called only when churn or context noise is on. Runs without gradient.
Sample SampleFrame(Denoiser& denoiser, const torch::Tensor& previous, const torch::Tensor& action,
                   const torch::Tensor& initial_noise, const SamplerOptions& options,
                   const DrawNoise& draw);

}  // namespace gwm::released

#endif  // GWM_ENGINE_MODEL_RELEASED_SAMPLER_H_
