#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "server/base/error.h"
#include "server/base/status.h"
#include "server/convert/camera_check.h"
#include "server/convert/scene.h"

namespace gwm::server {
namespace {

absl::Status CheckSide(uint32_t side, const std::string& field, const Limits& limits) {
  if (side == 0) return BadField(field, "0 pixels; at least 1 is allowed");
  if (side > limits.max_image_side) {
    return BeyondLimit(field, absl::StrCat(side, " pixels; up to max_image_side = ",
                                           limits.max_image_side, " is allowed"));
  }
  return absl::OkStatus();
}

absl::Status CheckCount(int count, int wanted, const std::string& field) {
  if (count == wanted) return absl::OkStatus();
  return BadField(field, absl::StrCat(count, " numbers; ", wanted, " are asked for"));
}

// Dot product of columns a and b of the upper left 3 x 3 of a row-major [4, 4].
double ColumnDot(std::span<const float> m, int a, int b) {
  double sum = 0;
  for (int row = 0; row < 3; ++row) {
    sum += static_cast<double>(m[row * 4 + a]) * static_cast<double>(m[row * 4 + b]);
  }
  return sum;
}

double Determinant3(std::span<const float> m) {
  const auto at = [m](int row, int column) { return static_cast<double>(m[row * 4 + column]); };
  return at(0, 0) * (at(1, 1) * at(2, 2) - at(1, 2) * at(2, 1)) -
         at(0, 1) * (at(1, 0) * at(2, 2) - at(1, 2) * at(2, 0)) +
         at(0, 2) * (at(1, 0) * at(2, 1) - at(1, 1) * at(2, 0));
}

}  // namespace

std::string IntrinsicsProblem(std::span<const float> k) {
  if (!std::all_of(k.begin(), k.end(), [](float v) { return std::isfinite(v); })) {
    return "not all numbers are finite";
  }
  if (!(k[0] > 0) || !(k[4] > 0)) {
    return absl::StrCat("fx ", k[0], " and fy ", k[4], "; numbers above 0 are allowed");
  }
  if (k[1] != 0 || k[3] != 0 || k[6] != 0 || k[7] != 0 || k[8] != 1) {
    return "[fx, 0, cx, 0, fy, cy, 0, 0, 1] is the form that is allowed";
  }
  return "";
}

std::string PoseProblem(std::span<const float> pose) {
  constexpr double kTolerance = 1e-3;
  if (!std::all_of(pose.begin(), pose.end(), [](float v) { return std::isfinite(v); })) {
    return "not all numbers are finite";
  }
  if (pose[12] != 0 || pose[13] != 0 || pose[14] != 0 || pose[15] != 1) {
    return "the last row must be [0, 0, 0, 1]";
  }
  for (int a = 0; a < 3; ++a) {
    for (int b = a; b < 3; ++b) {
      if (std::abs(ColumnDot(pose, a, b) - (a == b ? 1 : 0)) > kTolerance) {
        return "the upper left 3 x 3 must be a rotation";
      }
    }
  }
  if (Determinant3(pose) < 0) return "the upper left 3 x 3 must be a rotation, not a reflection";
  return "";
}

absl::StatusOr<Camera> ParseCamera(const v1::Camera& camera, const std::string& field,
                                   const Limits& limits) {
  const std::string k_field = field + ".intrinsics";
  const std::string pose_field = field + ".world_from_cam";
  RETURN_IF_ERROR(CheckCount(camera.intrinsics_size(), 9, k_field));
  RETURN_IF_ERROR(CheckCount(camera.world_from_cam_size(), 16, pose_field));
  RETURN_IF_ERROR(CheckSide(camera.width(), field + ".width", limits));
  RETURN_IF_ERROR(CheckSide(camera.height(), field + ".height", limits));
  Camera out{.width = static_cast<int>(camera.width()),
             .height = static_cast<int>(camera.height())};
  std::copy(camera.intrinsics().begin(), camera.intrinsics().end(), out.intrinsics.begin());
  std::copy(camera.world_from_cam().begin(), camera.world_from_cam().end(),
            out.world_from_cam.begin());
  if (auto problem = IntrinsicsProblem(out.intrinsics); !problem.empty()) {
    return BadField(k_field, problem);
  }
  if (auto problem = PoseProblem(out.world_from_cam); !problem.empty()) {
    return BadField(pose_field, problem);
  }
  return out;
}

absl::StatusOr<std::vector<Camera>> ParseCameras(
    const google::protobuf::RepeatedPtrField<v1::Camera>& cameras, const std::string& field,
    const Limits& limits) {
  std::vector<Camera> out;
  for (int i = 0; i < cameras.size(); ++i) {
    const std::string here = absl::StrCat(field, "[", i, "]");
    ASSIGN_OR_RETURN(out.emplace_back(), ParseCamera(cameras[i], here, limits));
    if (out.back().width != out.front().width || out.back().height != out.front().height) {
      return BadField(here, absl::StrCat(out.back().width, " x ", out.back().height,
                                         " pixels; all cameras of a call have the size of the "
                                         "first, ",
                                         out.front().width, " x ", out.front().height));
    }
  }
  return out;
}

v1::Camera ToProto(const Camera& camera) {
  v1::Camera out;
  out.mutable_intrinsics()->Add(camera.intrinsics.begin(), camera.intrinsics.end());
  out.mutable_world_from_cam()->Add(camera.world_from_cam.begin(), camera.world_from_cam.end());
  out.set_width(static_cast<uint32_t>(camera.width));
  out.set_height(static_cast<uint32_t>(camera.height));
  return out;
}

}  // namespace gwm::server
