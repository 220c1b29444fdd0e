#include "clients/policies/flow_head.h"

#include <utility>

#include "clients/policies/flow_matching.h"

namespace gwm::policies {

FlowHead::FlowHead(std::shared_ptr<Denoiser> denoiser, const FlowOptions& options)
    : denoiser_(std::move(denoiser)), options_(options) {}

torch::Tensor FlowHead::Sample(const torch::Tensor& observation, const ChunkNoise& noise) {
  const auto velocity = [&](const torch::Tensor& sample, double time) {
    return denoiser_->Predict(
        sample, torch::full({sample.size(0)}, options_.time_scale * time, sample.options()),
        observation);
  };
  return IntegrateFlow(velocity, noise.normal.select(1, 0), options_.sampling_steps);
}

torch::Tensor FlowHead::Loss(const ChunkBatch& batch, const ChunkNoise& noise) {
  const torch::Tensor time = noise.uniform.select(1, 0), start = noise.normal.select(1, 0);
  const torch::Tensor output = denoiser_->Predict(InterpolateFlow(start, batch.action, time),
                                                  options_.time_scale * time, batch.observation);
  return MeanOverValid((output - (batch.action - start)).square(), batch.valid);
}

}  // namespace gwm::policies
