// How unsure the dynamics is of a step, told by the denoiser itself.
#ifndef GWM_ENGINE_MODEL_DISAGREEMENT_H_
#define GWM_ENGINE_MODEL_DISAGREEMENT_H_

#include "engine/model/world_model.h"

namespace gwm {

// [B] f64: mean over tokens and channels of the squared difference between `next` (standardised
// latents [B, M, L], as PredictNext gave them) and what one denoiser call from pure noise at
// sigma_max predicts for the same transition. A denoiser that is sure answers alike wherever it
// starts. One more call than the step itself; rollouts add the figures of their steps up.
// unit_noise: [B, M, L], independent of the step's own.
torch::Tensor Disagreement(const WorldModel& model, const DynamicsState& state,
                           const torch::Tensor& action, const torch::Tensor& next,
                           const torch::Tensor& unit_noise);

}  // namespace gwm

#endif  // GWM_ENGINE_MODEL_DISAGREEMENT_H_
