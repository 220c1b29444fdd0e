#include "clients/policies/learning_rate.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace gwm::policies {

double LearningRateSchedule::At(int64_t step) const {
  if (step < warmup_steps) {
    return peak * static_cast<double>(step) / static_cast<double>(warmup_steps);
  }
  const double rest = static_cast<double>(std::max<int64_t>(total_steps - warmup_steps, 1));
  const double done = std::min(static_cast<double>(step - warmup_steps) / rest, 1.0);
  switch (shape) {
    case LearningRateShape::kLinear:
      return peak * (1 - done);
    case LearningRateShape::kCosine:
      return peak * 0.5 * (1 + std::cos(std::numbers::pi * done));
    case LearningRateShape::kConstant:
      break;
  }
  return peak;
}

}  // namespace gwm::policies
