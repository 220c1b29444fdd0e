// RGB-D frames of several worlds, checked, with the memory that they lie in.
#ifndef GWM_SERVER_WORK_FRAMES_BATCH_H_
#define GWM_SERVER_WORK_FRAMES_BATCH_H_

#include <memory>
#include <vector>

#include "engine/api/types.h"

namespace gwm::server {

// Move-only: the views of `rows` point into `shapes` and into memory that `owner` (or the request)
// keeps alive.
struct FramesBatch {
  FramesBatch() = default;
  FramesBatch(FramesBatch&&) = default;
  FramesBatch& operator=(FramesBatch&&) = default;

  std::vector<RgbdFrames> rows;
  // Of one row.
  struct Shapes {
    std::vector<int64_t> rgb, depth_mm, intrinsics, world_from_cam, actions;
  };
  std::unique_ptr<Shapes> shapes = std::make_unique<Shapes>();
  // Shared with nobody; a void pointer because the kind of memory does not matter. Null: the
  // request owns it.
  std::shared_ptr<const void> owner;
};

}  // namespace gwm::server

#endif  // GWM_SERVER_WORK_FRAMES_BATCH_H_
