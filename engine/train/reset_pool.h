// Real frames shipped with a checkpoint, so that a server can reset without being sent any:
// kResetPoolFile, a safetensors file with rgb u8 [P, T, V, H, W, 3], depth_mm u16 [P, T, V, H, W],
// intrinsics f32 [P, V, 3, 3], world_from_cam f32 [P, V, 4, 4], action f32 [P, T-1, A] (those that
// led to frames 1..T-1); metadata task.<p>.
#ifndef GWM_ENGINE_TRAIN_RESET_POOL_H_
#define GWM_ENGINE_TRAIN_RESET_POOL_H_

#include "engine/data/dataset.h"
#include "engine/io/safetensors.h"

namespace gwm {

inline constexpr int64_t kResetPoolPerTask = 12;

// The first frames (as many as the model's context) of up to kResetPoolPerTask episodes of each
// task.
io::TensorFile MakeResetPool(const Dataset& data, const ModelConfig& config);

}  // namespace gwm

#endif  // GWM_ENGINE_TRAIN_RESET_POOL_H_
