// Diffusion policy (arXiv 2303.04137): a chunk is denoised from noise under the observations.
#ifndef GWM_CLIENTS_POLICIES_DIFFUSION_HEAD_H_
#define GWM_CLIENTS_POLICIES_DIFFUSION_HEAD_H_

#include <memory>

#include "clients/policies/chunk_head.h"
#include "clients/policies/denoiser.h"
#include "clients/policies/diffusion_schedule.h"

namespace gwm::policies {

enum class DiffusionSampler { kDdpm, kDdim };

struct DiffusionOptions {
  int64_t training_steps = 100;
  int64_t sampling_steps = 100;  // at most training_steps
  DiffusionSampler sampler = DiffusionSampler::kDdpm;
  double eta = 0;  // share of noise of a DDIM step, in [0, 1]; not read by DDPM
  Prediction prediction = Prediction::kEpsilon;
  bool clip_sample = true;  // predicted actions to [-1, 1]: wants actions normalised by min-max
};

class DiffusionHead : public ChunkHead {
 public:
  DiffusionHead(std::shared_ptr<Denoiser> denoiser, const DiffusionOptions& options);

  torch::nn::Module& network() override { return *denoiser_; }
  // The first chunk is where the sampler starts; one per step follows for samplers with noise.
  NoiseShape ActNoise() const override;
  // The number picks the step.
  NoiseShape LossNoise() const override { return {.uniforms = 1, .normals = 1}; }
  torch::Tensor Sample(const torch::Tensor& observation, const ChunkNoise& noise) override;
  torch::Tensor Loss(const ChunkBatch& batch, const ChunkNoise& noise) override;

 private:
  bool StepsAreNoisy() const;

  std::shared_ptr<Denoiser> denoiser_;
  DiffusionOptions options_;
  DiffusionSchedule schedule_;
};

}  // namespace gwm::policies

#endif  // GWM_CLIENTS_POLICIES_DIFFUSION_HEAD_H_
