// Learning rates with a linear warm-up: the schedules of diffusers 0.42.1 optimization.py.
#ifndef GWM_CLIENTS_POLICIES_LEARNING_RATE_H_
#define GWM_CLIENTS_POLICIES_LEARNING_RATE_H_

#include <cstdint>

namespace gwm::policies {

enum class LearningRateShape {
  kConstant,  // after the warm-up
  kLinear,    // to zero at `total_steps`
  kCosine,    // half a cosine wave to zero at `total_steps`
};

struct LearningRateSchedule {
  LearningRateShape shape = LearningRateShape::kCosine;
  double peak = 1e-4;
  int64_t warmup_steps = 500;  // linear from zero
  int64_t total_steps = 0;     // of the training; not read by kConstant

  // The rate of step `step` >= 0 (the first is step 0).
  double At(int64_t step) const;
};

}  // namespace gwm::policies

#endif  // GWM_CLIENTS_POLICIES_LEARNING_RATE_H_
