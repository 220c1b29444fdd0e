// Rollouts as moving pictures, chosen by their error instead of by hand.
#ifndef GWM_ENGINE_TRAIN_ROLLOUT_PICTURES_H_
#define GWM_ENGINE_TRAIN_ROLLOUT_PICTURES_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "engine/train/evaluate.h"

namespace gwm {

// Per task the median and the worst of `scored` (by squared error), each as
// `folder`/<task>-<median|worst>.gif: real | imagined | error, one frame per step of the rollout.
// The error is |imagined - real| times 4, clipped. `scored` comes from an Evaluation of the same
// model, data and options. Errors are those of writing files.
absl::Status WriteRolloutPictures(const WorldModel& model, const Dataset& data,
                                  const std::vector<ScoredStart>& scored,
                                  const EvaluateOptions& options, const std::string& folder);

}  // namespace gwm

#endif  // GWM_ENGINE_TRAIN_ROLLOUT_PICTURES_H_
