#include "engine/scene/camera.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "engine/base/shape.h"

namespace gwm {
namespace {

using Vector3 = std::array<double, 3>;

Vector3 Subtract(const Vector3& a, const Vector3& b) {
  return {a[0] - b[0], a[1] - b[1], a[2] - b[2]};
}
Vector3 Cross(const Vector3& a, const Vector3& b) {
  return {a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]};
}
Vector3 Normalise(const Vector3& a) {
  const double length = std::hypot(a[0], a[1], a[2]);
  TORCH_CHECK_VALUE(length > 1e-9, "a camera direction has no length");
  return {a[0] / length, a[1] / length, a[2] / length};
}

// K^-1 of a camera without skew, applied to pixel centres.
torch::Tensor PixelCentres(int64_t count, const torch::Tensor& principal,
                           const torch::Tensor& focal) {
  const torch::Tensor centres =
      torch::arange(count, torch::TensorOptions(principal.device()).dtype(torch::kFloat32)) + 0.5;
  return (centres - principal.unsqueeze(-1)) / focal.unsqueeze(-1);  // [..., V, count]
}

}  // namespace

Cameras Cameras::To(torch::Device device) const {
  return {intrinsics.to(device), world_from_cam.to(device), height, width};
}

Cameras Cameras::Slice(int64_t begin, int64_t end) const {
  return {intrinsics.slice(-3, begin, end), world_from_cam.slice(-3, begin, end), height, width};
}

Cameras Cameras::operator[](int64_t index) const {
  TORCH_CHECK_VALUE(intrinsics.dim() > 3, "cameras without a batch dimension");
  return {intrinsics.select(0, index), world_from_cam.select(0, index), height, width};
}

torch::Tensor Cameras::cam_from_world() const {
  const torch::Tensor rotation = world_from_cam.slice(-2, 0, 3).slice(-1, 0, 3).transpose(-1, -2);
  const torch::Tensor origin = world_from_cam.slice(-2, 0, 3).select(-1, 3);
  // Written out, because the order of a library's sum may depend on the batch.
  const torch::Tensor moved = rotation.select(-1, 0) * origin.slice(-1, 0, 1) +
                              rotation.select(-1, 1) * origin.slice(-1, 1, 2) +
                              rotation.select(-1, 2) * origin.slice(-1, 2, 3);
  const torch::Tensor top = torch::cat({rotation, -moved.unsqueeze(-1)}, -1);
  return torch::cat({top, world_from_cam.slice(-2, 3, 4)}, -2);
}

void Cameras::Check() const {
  CheckTrailing(intrinsics, {kAny, 3, 3}, "intrinsics");
  CheckTrailing(world_from_cam, {intrinsics.size(-3), 4, 4}, "world_from_cam");
  CheckDType(intrinsics, torch::kFloat32, "intrinsics");
  CheckDType(world_from_cam, torch::kFloat32, "world_from_cam");
  TORCH_CHECK_VALUE(intrinsics.dim() == world_from_cam.dim(),
                    "batch dimensions differ: intrinsics are ", Describe(intrinsics),
                    ", world_from_cam are ", Describe(world_from_cam));
  TORCH_CHECK_VALUE(height > 0 && width > 0 && height <= 16384 && width <= 16384, "image is ",
                    height, " x ", width, " pixels, expected 1..16384 each");
}

Cameras CamerasFrom(std::span<const Camera> cameras, torch::Device device) {
  TORCH_CHECK_VALUE(!cameras.empty(), "no cameras");
  const auto count = static_cast<int64_t>(cameras.size());
  torch::Tensor intrinsics = torch::empty({count, 3, 3});
  torch::Tensor poses = torch::empty({count, 4, 4});
  for (int64_t v = 0; v < count; ++v) {
    const Camera& camera = cameras[v];
    TORCH_CHECK_VALUE(camera.width == cameras[0].width && camera.height == cameras[0].height,
                      "camera ", v, " has ", camera.height, " x ", camera.width,
                      " pixels, camera 0 has ", cameras[0].height, " x ", cameras[0].width);
    std::copy(camera.intrinsics.begin(), camera.intrinsics.end(),
              intrinsics.data_ptr<float>() + 9 * v);
    std::copy(camera.world_from_cam.begin(), camera.world_from_cam.end(),
              poses.data_ptr<float>() + 16 * v);
  }
  Cameras result{intrinsics.to(device), poses.to(device), cameras[0].height, cameras[0].width};
  result.Check();
  return result;
}

Camera CameraAt(const Cameras& cameras, int64_t view) {
  CheckShape(cameras.intrinsics, {kAny, 3, 3}, "intrinsics");
  const torch::Tensor intrinsics = cameras.intrinsics[view].cpu().contiguous();
  const torch::Tensor pose = cameras.world_from_cam[view].cpu().contiguous();
  Camera camera;
  std::copy_n(intrinsics.data_ptr<float>(), 9, camera.intrinsics.begin());
  std::copy_n(pose.data_ptr<float>(), 16, camera.world_from_cam.begin());
  camera.width = static_cast<int>(cameras.width);
  camera.height = static_cast<int>(cameras.height);
  return camera;
}

torch::Tensor PixelRays(const Cameras& cameras) {
  const torch::Tensor& k = cameras.intrinsics;
  const torch::Tensor x =
      PixelCentres(cameras.width, k.select(-2, 0).select(-1, 2), k.select(-2, 0).select(-1, 0));
  const torch::Tensor y =
      PixelCentres(cameras.height, k.select(-2, 1).select(-1, 2), k.select(-2, 1).select(-1, 1));
  std::vector<int64_t> shape = x.sizes().vec();
  shape.back() = cameras.height;
  shape.push_back(cameras.width);
  return torch::stack({x.unsqueeze(-2).expand(shape), y.unsqueeze(-1).expand(shape),
                       torch::ones(shape, x.options())},
                      -1);
}

torch::Tensor Unproject(const torch::Tensor& depth, const Cameras& cameras) {
  cameras.Check();
  CheckTrailing(depth, {cameras.count(), cameras.height, cameras.width}, "depth");
  const torch::Tensor p_cam = PixelRays(cameras) * depth.unsqueeze(-1);
  const torch::Tensor pose = cameras.world_from_cam.slice(-2, 0, 3);  // [..., V, 3, 4]
  const torch::Tensor rotation = pose.slice(-1, 0, 3).unsqueeze(-3).unsqueeze(-4);
  const torch::Tensor origin = pose.select(-1, 3).unsqueeze(-2).unsqueeze(-3);
  // A sum over the last axis instead of a matrix product keeps each pixel's bits independent of the
  // batch.
  return (rotation * p_cam.unsqueeze(-2)).sum(-1) + origin;
}

Projection Project(const torch::Tensor& p_world, const Cameras& cameras) {
  cameras.Check();
  CheckTrailing(p_world, {kAny, 3}, "p_world");
  const torch::Tensor pose = cameras.cam_from_world().slice(-2, 0, 3);  // [..., V, 3, 4]
  const torch::Tensor rotation = pose.slice(-1, 0, 3).unsqueeze(-3);    // [..., V, 1, 3, 3]
  const torch::Tensor p_cam =
      (rotation * p_world.unsqueeze(-2).unsqueeze(-4)).sum(-1) + pose.select(-1, 3).unsqueeze(-2);
  const torch::Tensor& k = cameras.intrinsics;
  const torch::Tensor focal =
      torch::stack({k.select(-2, 0).select(-1, 0), k.select(-2, 1).select(-1, 1)}, -1);
  const torch::Tensor principal = k.slice(-2, 0, 2).select(-1, 2);
  const torch::Tensor depth = p_cam.select(-1, 2);
  const torch::Tensor uv =
      p_cam.slice(-1, 0, 2) / depth.unsqueeze(-1) * focal.unsqueeze(-2) + principal.unsqueeze(-2);
  return {uv, depth};
}

Camera MoveCamera(const Camera& camera, const std::array<double, 3>& offset_cam_m) {
  Camera moved = camera;
  for (int row = 0; row < 3; ++row) {
    double shift = 0;
    for (int column = 0; column < 3; ++column) {
      shift += static_cast<double>(camera.world_from_cam[4 * row + column]) * offset_cam_m[column];
    }
    moved.world_from_cam[4 * row + 3] += static_cast<float>(shift);
  }
  return moved;
}

Camera LookAt(const Camera& camera, const std::array<double, 3>& eye_world_m,
              const std::array<double, 3>& target_world_m) {
  const Vector3 forward = Normalise(Subtract(target_world_m, eye_world_m));
  const Vector3 right = Normalise(Cross(forward, {0, 0, 1}));
  const Vector3 down = Cross(forward, right);
  Camera result = camera;
  for (int row = 0; row < 3; ++row) {
    const std::array<double, 4> values = {right[row], down[row], forward[row], eye_world_m[row]};
    for (int column = 0; column < 4; ++column) {
      result.world_from_cam[4 * row + column] = static_cast<float>(values[column]);
    }
  }
  for (int column = 0; column < 4; ++column) result.world_from_cam[12 + column] = column == 3;
  return result;
}

Camera ResizeCamera(const Camera& camera, int width, int height) {
  Camera result = camera;
  const float scale_x = static_cast<float>(width) / static_cast<float>(camera.width);
  const float scale_y = static_cast<float>(height) / static_cast<float>(camera.height);
  for (int column = 0; column < 3; ++column) {
    result.intrinsics[column] *= scale_x;
    result.intrinsics[3 + column] *= scale_y;
  }
  result.width = width;
  result.height = height;
  return result;
}

}  // namespace gwm
