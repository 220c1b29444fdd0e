// The noise that the sampler of one env step starts from.
#ifndef GWM_ENGINE_MODEL_STEP_NOISE_H_
#define GWM_ENGINE_MODEL_STEP_NOISE_H_

#include <torch/torch.h>

#include "engine/api/types.h"
#include "engine/model/config.h"

namespace gwm {

// Standard normal f32 [1, M, L] on the CPU: a function of the key alone.
torch::Tensor StepNoise(const ModelConfig& config, const NoiseKey& key);

}  // namespace gwm

#endif  // GWM_ENGINE_MODEL_STEP_NOISE_H_
