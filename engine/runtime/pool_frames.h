// Entries of a checkpoint's reset pool (format: engine/train/reset_pool.h).
#ifndef GWM_ENGINE_RUNTIME_POOL_FRAMES_H_
#define GWM_ENGINE_RUNTIME_POOL_FRAMES_H_

#include "absl/status/statusor.h"
#include "engine/api/types.h"
#include "engine/io/safetensors.h"
#include "engine/model/config.h"

namespace gwm {

struct PooledFrames {
  HostTensor rgb, depth_mm, intrinsics, world_from_cam, actions;
  // Borrows from this object.
  RgbdFrames view() const;
};

// Number of entries; 0 for an empty file. InvalidArgument when a tensor is missing or does not fit
// `config`.
absl::StatusOr<int> CountPoolFrames(const io::TensorFile& file, const ModelConfig& config);
// Requires 0 <= entry < count of a file that CountPoolFrames accepted.
PooledFrames PoolFrames(const io::TensorFile& file, int entry);

}  // namespace gwm

#endif  // GWM_ENGINE_RUNTIME_POOL_FRAMES_H_
