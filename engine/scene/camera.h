// V pinhole cameras of one image size, and the geometry between pixels and the world.
// OpenCV axes: x right, y down, z forward; the centre of pixel (row i, column j) is at (j + 0.5, i
// + 0.5).
#ifndef GWM_ENGINE_SCENE_CAMERA_H_
#define GWM_ENGINE_SCENE_CAMERA_H_

#include <torch/torch.h>

#include <array>
#include <span>

#include "engine/api/types.h"

namespace gwm {

// `...`: nothing when the cameras are shared by all scenes of a batch, else the scenes' batch
// dimensions.
struct Cameras {
  torch::Tensor intrinsics;      // [..., V, 3, 3] pixels, f32, no skew
  torch::Tensor world_from_cam;  // [..., V, 4, 4] rigid, f32
  int64_t height = 0;            // pixels
  int64_t width = 0;             // pixels

  int64_t count() const { return intrinsics.size(-3); }
  torch::Device device() const { return intrinsics.device(); }
  Cameras To(torch::Device device) const;
  Cameras Slice(int64_t begin, int64_t end) const;  // views begin..end-1
  Cameras operator[](int64_t index) const;          // element of the first batch dimension
  torch::Tensor cam_from_world() const;             // [..., V, 4, 4], the rigid inverse
  // Throws c10::ValueError for a wrong shape, dtype or image size.
  void Check() const;
};

// All of one image size (throws c10::ValueError otherwise).
Cameras CamerasFrom(std::span<const Camera> cameras, torch::Device device = torch::kCPU);
Camera CameraAt(const Cameras& cameras, int64_t view);  // cameras without batch dimensions

// Viewing directions with z = 1 in the camera's frame: [..., V, H, W, 3].
torch::Tensor PixelRays(const Cameras& cameras);
// depth: [..., V, H, W] m along the optical axis -> p_world: [..., V, H, W, 3] m. Differentiable.
torch::Tensor Unproject(const torch::Tensor& depth, const Cameras& cameras);

struct Projection {
  torch::Tensor uv;     // [..., V, N, 2] pixels (column, row); meaningless where depth <= 0
  torch::Tensor depth;  // [..., V, N] m along the optical axis
};
// p_world: [..., N, 3] m.
Projection Project(const torch::Tensor& p_world, const Cameras& cameras);

// `camera` moved by an offset in its own axes (x right, y down, z forward), same orientation.
Camera MoveCamera(const Camera& camera, const std::array<double, 3>& offset_cam_m);
// `camera` at `eye_world_m`, looking at `target_world_m`, with world +z up. The two points differ,
// and not only in z.
Camera LookAt(const Camera& camera, const std::array<double, 3>& eye_world_m,
              const std::array<double, 3>& target_world_m);
// The same view with another number of pixels.
Camera ResizeCamera(const Camera& camera, int width, int height);

}  // namespace gwm

#endif  // GWM_ENGINE_SCENE_CAMERA_H_
