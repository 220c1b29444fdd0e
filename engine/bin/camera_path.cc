#include "engine/bin/camera_path.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "absl/strings/str_cat.h"
#include "engine/base/catch_torch.h"
#include "engine/scene/camera.h"

namespace gwm {
namespace {

using Point = std::array<double, 3>;

constexpr double kDegree = std::numbers::pi / 180;
constexpr int kPlyPixels = 256;
constexpr double kPlyFovDeg = 50;
constexpr int kMaxPixels = 4096;

struct Extent {
  Point middle{};     // median of the means, m
  double radius = 1;  // m, of the ball around it that holds 80 % of the means
};

Extent ExtentOf(const Gaussians& scene) {
  const torch::Tensor middle = std::get<0>(scene.means.median(0));
  const torch::Tensor distances = (scene.means - middle).norm(2, 1);
  const auto rank = static_cast<int64_t>(0.8 * static_cast<double>(distances.size(0) - 1));
  const double radius = std::get<0>(distances.sort())[rank].item<double>();
  Extent extent;
  for (int64_t axis = 0; axis < 3; ++axis) {
    extent.middle[static_cast<size_t>(axis)] = middle[axis].item<double>();
  }
  extent.radius = std::max(radius, 1e-3);
  return extent;
}

Point EyeOf(const Camera& camera) {
  return {camera.world_from_cam[3], camera.world_from_cam[7], camera.world_from_cam[11]};
}

// The point on the camera's axis that is as deep as the middle of the scene: turning to look at it
// changes nothing.
Point PointAhead(const Camera& camera, const Extent& extent) {
  double depth = 0;
  for (size_t axis = 0; axis < 3; ++axis) {
    depth += camera.world_from_cam[4 * axis + 2] *
             (extent.middle[axis] - camera.world_from_cam[4 * axis + 3]);
  }
  depth = std::max(depth, 0.1);
  Point point = EyeOf(camera);
  for (size_t axis = 0; axis < 3; ++axis)
    point[axis] += depth * camera.world_from_cam[4 * axis + 2];
  return point;
}

void SetFieldOfView(double fov_deg, Camera& camera) {
  const double focal = 0.5 * camera.height / std::tan(0.5 * fov_deg * kDegree);
  camera.intrinsics = {static_cast<float>(focal),
                       0,
                       0.5f * static_cast<float>(camera.width),
                       0,
                       static_cast<float>(focal),
                       0.5f * static_cast<float>(camera.height),
                       0,
                       0,
                       1};
}

Camera PlyCamera(const Extent& extent) {
  Camera camera;
  camera.width = camera.height = kPlyPixels;
  SetFieldOfView(kPlyFovDeg, camera);
  const double distance = 1.2 * extent.radius / std::tan(0.5 * kPlyFovDeg * kDegree);
  const Point eye = {extent.middle[0] + 0.6 * distance, extent.middle[1] - 0.7 * distance,
                     extent.middle[2] + 0.5 * distance};
  return LookAt(camera, eye, extent.middle);
}

// `eye` turned about the vertical axis through `target`.
Point Turn(const Point& eye, const Point& target, double angle_rad) {
  const double x = eye[0] - target[0], y = eye[1] - target[1];
  return {target[0] + std::cos(angle_rad) * x - std::sin(angle_rad) * y,
          target[1] + std::sin(angle_rad) * x + std::cos(angle_rad) * y, eye[2]};
}

absl::Status CheckOptions(const CameraPathOptions& options) {
  if (options.width < 0 || options.height < 0 || options.width > kMaxPixels ||
      options.height > kMaxPixels) {
    return absl::InvalidArgumentError(absl::StrCat("--width and --height are ", options.width,
                                                   " and ", options.height, ", allowed are 1..",
                                                   kMaxPixels));
  }
  if (options.fov_deg < 0 || options.fov_deg >= 180) {
    return absl::InvalidArgumentError("--fov_deg must lie between 0 and 180");
  }
  if (options.orbit < 0 || options.orbit > 1000) {
    return absl::InvalidArgumentError("--orbit must lie in 0..1000");
  }
  return absl::OkStatus();
}

std::vector<Camera> Path(const RenderSource& source, const CameraPathOptions& options) {
  const Extent extent = ExtentOf(source.scenes[0]);
  Camera base = source.camera.value_or(PlyCamera(extent));
  const int width = options.width > 0 ? options.width : base.width;
  const int height = options.height > 0 ? options.height : base.height;
  base = ResizeCamera(base, width, height);
  if (options.fov_deg > 0) SetFieldOfView(options.fov_deg, base);
  const Point target = options.target_m.value_or(
      source.camera && !options.eye_m ? PointAhead(base, extent) : extent.middle);
  const Point eye = options.eye_m.value_or(EyeOf(base));
  const size_t pictures = std::max(source.scenes.size(), static_cast<size_t>(options.orbit));
  const bool full_turn = options.orbit_deg == 0 && !source.camera;
  const double arc_deg = options.orbit_deg != 0 ? options.orbit_deg : (full_turn ? 360 : 40);
  std::vector<Camera> cameras;
  for (size_t i = 0; i < pictures; ++i) {
    Camera camera = base;
    if (options.orbit > 0) {
      // A closed turn starts at the eye; an arc swings to both sides of it and back, so that a GIF
      // has no jump.
      const double phase =
          static_cast<double>(i % static_cast<size_t>(options.orbit)) / options.orbit;
      const double angle_deg = std::abs(arc_deg) >= 360
                                   ? arc_deg * phase
                                   : 0.5 * arc_deg * std::sin(2 * std::numbers::pi * phase);
      camera = LookAt(base, Turn(eye, target, angle_deg * kDegree), target);
    } else if (options.eye_m || options.target_m) {
      camera = LookAt(base, eye, target);
    }
    cameras.push_back(MoveCamera(camera, options.move_m));
  }
  return cameras;
}

}  // namespace

absl::StatusOr<std::vector<Camera>> MakeCameraPath(const RenderSource& source,
                                                   const CameraPathOptions& options) {
  if (absl::Status status = CheckOptions(options); !status.ok()) return status;
  return CatchTorch("camera",
                    [&]() -> absl::StatusOr<std::vector<Camera>> { return Path(source, options); });
}

}  // namespace gwm
