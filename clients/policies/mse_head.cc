#include "clients/policies/mse_head.h"

#include "absl/strings/str_cat.h"

namespace gwm::policies {

ChunkMlpImpl::ChunkMlpImpl(int64_t in, int64_t out, const MlpOptions& options) {
  for (int64_t i = 0; i <= options.layers; ++i) {
    const bool is_last = i == options.layers;
    layers_.push_back(register_module(
        absl::StrCat(i), Linear(i == 0 ? in : options.width, is_last ? out : options.width)));
  }
}

torch::Tensor ChunkMlpImpl::forward(torch::Tensor x) {
  for (size_t i = 0; i < layers_.size(); ++i) {
    if (i > 0) x = torch::mish(x);
    x = layers_[i](x);
  }
  return x;
}

MseHead::MseHead(const ChunkSpec& spec, const MlpOptions& options)
    : spec_(spec),
      network_(spec.observation_steps * spec.observation_dim, spec.horizon * spec.action_dim,
               options) {}

torch::Tensor MseHead::Sample(const torch::Tensor& observation, const ChunkNoise&) {
  return network_(observation.flatten(1)).reshape({-1, spec_.horizon, spec_.action_dim});
}

torch::Tensor MseHead::Loss(const ChunkBatch& batch, const ChunkNoise& noise) {
  return MeanOverValid((Sample(batch.observation, noise) - batch.action).square(), batch.valid);
}

}  // namespace gwm::policies
