// A front-end turns camera images into Gaussians in the world's frame. Kinds differ in what they
// need: depth and poses (rgbd.h), or a network in their place.
#ifndef GWM_ENGINE_PERCEPTION_FRONTEND_H_
#define GWM_ENGINE_PERCEPTION_FRONTEND_H_

#include <torch/torch.h>

#include <memory>
#include <string_view>

#include "absl/status/statusor.h"
#include "engine/scene/camera.h"
#include "engine/scene/gaussians.h"

namespace gwm {

// `...` = any batch dimensions; the cameras are shared by the batch, or have the same batch
// dimensions.
struct Views {
  torch::Tensor rgb;    // [..., V, H, W, 3], u8 or f32 in [0, 1]
  torch::Tensor depth;  // [..., V, H, W]: u16 millimetres or f32 metres along the optical axis; 0 =
                        // nothing hit
  Cameras cameras;      // V
};

// Thread-compatible; const after construction.
class Frontend {
 public:
  virtual ~Frontend() = default;
  // -> [..., N] Gaussians of SH degree 0 on the images' device. Throws c10::ValueError on malformed
  // views.
  virtual Gaussians Encode(const Views& views) const = 0;
};

// `kind`: "rgbd". InvalidArgument lists the kinds.
absl::StatusOr<std::unique_ptr<Frontend>> CreateFrontend(std::string_view kind);

}  // namespace gwm

#endif  // GWM_ENGINE_PERCEPTION_FRONTEND_H_
