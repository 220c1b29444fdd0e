#include "engine/model/step_noise.h"

#include "engine/base/gpu_stream.h"
#include "kernels/noise.h"

namespace gwm {

torch::Tensor StepNoise(const ModelConfig& config, const NoiseKey& key) {
  auto noise = torch::empty({1, config.tokens(), config.tokenizer.latent_dim});
  const kernels::NoiseStream stream{
      .seed = key.seed, .env = key.env, .episode = key.episode, .step = key.step, .call = 0};
  CheckKernel(kernels::NormalNoise(stream, 0, noise.numel(), noise.data_ptr<float>()), "noise");
  return noise;
}

}  // namespace gwm
