// One row of a ModelWorld's step between two denoiser calls.
#ifndef GWM_ENGINE_RUNTIME_MODEL_STEP_H_
#define GWM_ENGINE_RUNTIME_MODEL_STEP_H_

#include <optional>
#include <utility>

#include "engine/api/world.h"
#include "engine/model/dit.h"
#include "engine/model/sampler.h"

namespace gwm {

class ModelStep : public StepInProgress {
 public:
  // action: f32 [1, A]; age: f32 [1] steps since the state's real frame, this one included.
  ModelStep(StatePtr state, torch::Tensor action, torch::Tensor age, SamplerState sampler)
      : state(std::move(state)),
        action(std::move(action)),
        age(std::move(age)),
        sampler(std::move(sampler)) {}

  int calls_left() const override { return sampler.calls_left(); }
  StepRow TakeResult() override { return std::move(result); }

  const StatePtr state;  // the old one, alive until the step is over
  const torch::Tensor action;
  const torch::Tensor age;
  SamplerState sampler;
  std::optional<ConditionCache> cache;  // B = 1; between the first call and the last
  StepRow result;
};

}  // namespace gwm

#endif  // GWM_ENGINE_RUNTIME_MODEL_STEP_H_
