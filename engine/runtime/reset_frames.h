// Checks real RGB-D frames from outside and turns them into scenes.
#ifndef GWM_ENGINE_RUNTIME_RESET_FRAMES_H_
#define GWM_ENGINE_RUNTIME_RESET_FRAMES_H_

#include <vector>

#include "absl/status/statusor.h"
#include "engine/api/types.h"
#include "engine/model/config.h"
#include "engine/model/tokenizer.h"

namespace gwm {

struct ResetFrames {
  std::vector<SceneBatch> scenes;  // batches of one, oldest first: the frames that the model sees
  torch::Tensor past_actions;      // f32 [1, T - 1, A]
};

// The most frames that a reset makes use of: those that the model sees, and earlier ones whose
// actions it sees.
int64_t ResetHistory(const ModelConfig& config);

// InvalidArgument names the field ("frames.rgb"), what it is and
// what is allowed: dtypes and shapes of RgbdFrames, positive focal lengths, rigid poses, finite
// numbers, actions within [-1, 1].
absl::StatusOr<ResetFrames> ReadResetFrames(const RgbdFrames& frames, const ModelConfig& config);

}  // namespace gwm

#endif  // GWM_ENGINE_RUNTIME_RESET_FRAMES_H_
