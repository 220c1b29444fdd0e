// The real frame that an episode started from, as it came: all that the episode's anchors follow
// from.
#ifndef GWM_ENGINE_RUNTIME_START_FRAME_H_
#define GWM_ENGINE_RUNTIME_START_FRAME_H_

#include "absl/status/statusor.h"
#include "engine/api/types.h"
#include "engine/api/world.h"

namespace gwm {

struct StartFrame {
  HostTensor rgb;             // u8 [1, V, H, W, 3]
  HostTensor depth_mm;        // u16 [1, V, H, W]
  HostTensor intrinsics;      // f32 [V, 3, 3]
  HostTensor world_from_cam;  // f32 [V, 4, 4]

  // A copy of the newest of the frames, whose shapes were checked.
  static StartFrame NewestOf(const RgbdFrames& frames);
  // Out of tensors of these names. InvalidArgument when one is missing; shapes are not checked.
  static absl::StatusOr<StartFrame> From(const StateTensors& tensors);
  void AddTo(StateTensors& tensors) const;
  // Borrows from this object.
  RgbdFrames view() const;
  int64_t bytes() const;
};

}  // namespace gwm

#endif  // GWM_ENGINE_RUNTIME_START_FRAME_H_
