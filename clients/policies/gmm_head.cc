#include "clients/policies/gmm_head.h"

namespace gwm::policies {
namespace {

constexpr double kLowNoiseStd = 1e-4;

}  // namespace

GmmHead::GmmHead(const ChunkSpec& spec, const GmmOptions& options)
    : spec_(spec),
      options_(options),
      network_(spec, options.modes * (1 + 2 * spec.action_dim),
               BcTransformerShape{options.layers, options.heads, options.width}) {}

GaussianMixture GmmHead::Predict(const torch::Tensor& observation) {
  const torch::Tensor out = network_(observation);
  const int64_t modes = options_.modes, entries = modes * spec_.action_dim;
  const std::vector<torch::Tensor> parts = out.split_with_sizes({modes, entries, entries}, -1);
  const auto by_mode = [&](const torch::Tensor& x) {
    return x.reshape({x.size(0), x.size(1), modes, spec_.action_dim});
  };
  return {parts[0], by_mode(parts[1]), torch::softplus(by_mode(parts[2])) + options_.least_std};
}

torch::Tensor GmmHead::Sample(const torch::Tensor& observation, const ChunkNoise& noise) {
  return SampleMixture(Predict(observation), noise.uniform, noise.normal.select(1, 0),
                       options_.low_noise ? kLowNoiseStd : 0);
}

torch::Tensor GmmHead::Loss(const ChunkBatch& batch, const ChunkNoise&) {
  return MeanOverValid(-MixtureLogProb(Predict(batch.observation), batch.action), batch.valid);
}

}  // namespace gwm::policies
