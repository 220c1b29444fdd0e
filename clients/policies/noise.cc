#include "clients/policies/noise.h"

#include "clients/base/checks.h"

namespace gwm::policies {

ChunkNoise DrawLossNoise(const NoiseShape& shape, const ChunkSpec& spec, int64_t rows,
                         const CounterRandom& random, uint64_t counter) {
  return {random.Uniform(RandomStream::kLossUniform, counter, {rows, shape.uniforms}),
          random.Normal(RandomStream::kLossNormal, counter,
                        {rows, shape.normals, spec.horizon, spec.action_dim})};
}

ChunkNoise DrawActNoise(const NoiseShape& shape, const ChunkSpec& spec, const CounterRandom& random,
                        uint64_t counter) {
  return {random.Uniform(RandomStream::kActUniform, counter, {1, shape.uniforms}),
          random.Normal(RandomStream::kActNormal, counter,
                        {1, shape.normals, spec.horizon, spec.action_dim})};
}

absl::Status CheckNoise(const ChunkNoise& noise, const NoiseShape& shape, const ChunkSpec& spec,
                        int64_t rows) {
  absl::Status status =
      clients::CheckFinite(noise.uniform, {rows, shape.uniforms}, "noise.uniform");
  if (!status.ok()) return status;
  status = clients::CheckFinite(noise.normal, {rows, shape.normals, spec.horizon, spec.action_dim},
                                "noise.normal");
  if (!status.ok()) return status;
  if (((noise.uniform < 0) | (noise.uniform >= 1)).any().item<bool>()) {
    return absl::InvalidArgumentError("noise.uniform has an entry outside [0, 1)");
  }
  return absl::OkStatus();
}

}  // namespace gwm::policies
