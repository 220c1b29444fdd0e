// The few-call sampler (Karras et al. 2022, algorithm 1 without churn), one denoiser call at a
// time.
#ifndef GWM_ENGINE_MODEL_SAMPLER_H_
#define GWM_ENGINE_MODEL_SAMPLER_H_

#include <torch/torch.h>

#include <memory>
#include <vector>

#include "engine/api/types.h"
#include "engine/model/config.h"

namespace gwm {

// Where a sampler is. A value: After gives the next one and leaves this one as it is.
//
//   SamplerState sampler(config, SamplerKind::kEuler, levels, noise);
//   while (sampler.calls_left() > 0) {
//     sampler = sampler.After(D(sampler.x(), sampler.sigma()));
//   }
//   return sampler.x();
class SamplerState {
 public:
  // Starts from sigma_max * unit_noise [B, M, L], or from zero where a single level is asked for
  // and the model was trained so (DiffusionConfig::mean_start). levels >= 1; kind: kModel is
  // config.heun's.
  SamplerState(const DiffusionConfig& config, SamplerKind kind, int64_t levels,
               const torch::Tensor& unit_noise);

  int calls_left() const;
  // Noise level of the next call. Requires calls_left() > 0.
  double sigma() const { return (*sigmas_)[level_ + (correcting_ ? 1 : 0)]; }
  // What the next call denoises; when no call is left, the sample. [B, M, L]
  const torch::Tensor& x() const { return correcting_ ? predicted_ : x_; }
  // denoised: D(x(); sigma()) [B, M, L].
  SamplerState After(const torch::Tensor& denoised) const;

 private:
  std::shared_ptr<const std::vector<double>>
      sigmas_;  // descending, the last one 0; shared by copies
  bool heun_;
  size_t level_ = 0;
  torch::Tensor x_;
  // Between the two calls of a second-order step: the first one's slope, and where it led.
  bool correcting_ = false;
  torch::Tensor slope_, predicted_;
};

}  // namespace gwm

#endif  // GWM_ENGINE_MODEL_SAMPLER_H_
