#include "clients/policies/diffusion_head.h"

#include <utility>
#include <vector>

namespace gwm::policies {

DiffusionHead::DiffusionHead(std::shared_ptr<Denoiser> denoiser, const DiffusionOptions& options)
    : denoiser_(std::move(denoiser)), options_(options), schedule_(options.training_steps) {}

bool DiffusionHead::StepsAreNoisy() const {
  return options_.sampler == DiffusionSampler::kDdpm || options_.eta > 0;
}

NoiseShape DiffusionHead::ActNoise() const {
  // The last step adds no noise.
  return {.uniforms = 0, .normals = StepsAreNoisy() ? options_.sampling_steps : 1};
}

torch::Tensor DiffusionHead::Sample(const torch::Tensor& observation, const ChunkNoise& noise) {
  torch::Tensor sample = noise.normal.select(1, 0);
  int64_t used = 1;
  for (const int64_t step : schedule_.SamplingSteps(options_.sampling_steps)) {
    const torch::Tensor time =
        torch::full({sample.size(0)}, static_cast<double>(step), sample.options());
    const torch::Tensor output = denoiser_->Predict(sample, time, observation);
    torch::Tensor draw;
    if (StepsAreNoisy() && step > 0) draw = noise.normal.select(1, used++);
    const DiffusionSchedule::ReverseStep at{step, options_.sampling_steps, options_.prediction,
                                            options_.clip_sample};
    sample = options_.sampler == DiffusionSampler::kDdpm
                 ? schedule_.DdpmStep(sample, output, draw, at)
                 : schedule_.DdimStep(sample, output, draw, options_.eta, at);
  }
  return sample;
}

torch::Tensor DiffusionHead::Loss(const ChunkBatch& batch, const ChunkNoise& noise) {
  const torch::Tensor step =
      (noise.uniform.select(1, 0) * static_cast<double>(options_.training_steps))
          .to(torch::kInt64)
          .clamp_max(options_.training_steps - 1);
  const torch::Tensor draw = noise.normal.select(1, 0);
  const torch::Tensor output =
      denoiser_->Predict(schedule_.AddNoise(batch.action, draw, step),
                         step.to(batch.action.scalar_type()), batch.observation);
  const torch::Tensor target = schedule_.Target(options_.prediction, batch.action, draw, step);
  return MeanOverValid((output - target).square(), batch.valid);
}

}  // namespace gwm::policies
