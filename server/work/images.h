// Images of states, stacked as they go over the wire.
#ifndef GWM_SERVER_WORK_IMAGES_H_
#define GWM_SERVER_WORK_IMAGES_H_

#include <vector>

#include "absl/status/statusor.h"
#include "engine/api/world.h"

namespace gwm::server {

struct ImageOptions {
  uint32_t outputs = kRenderRgb;  // RenderOutputs, or-ed
  DType rgb_dtype = DType::kU8;   // kU8 or kF32
  bool gaussians = false;
};

// n states by C cameras of H x W pixels; what was not asked for is empty.
struct Images {
  HostTensor rgb;                        // [n, C, H, W, 3]
  HostTensor depth;                      // f32 [n, C, H, W]
  HostTensor alpha;                      // f32 [n, C, H, W]
  std::vector<GaussianCloud> gaussians;  // n
};

// One state with its cameras. A null state gives zeros.
struct Viewed {
  StatePtr state;
  std::vector<Camera> cameras;  // as many, and of the same size, in every row
};

// Device thread.
absl::StatusOr<Images> RenderImages(World& world, const std::vector<Viewed>& rows,
                                    const ImageOptions& options);

}  // namespace gwm::server

#endif  // GWM_SERVER_WORK_IMAGES_H_
