#include "engine/scene/rotations.h"

#include <numbers>
#include <vector>

#include "engine/base/shape.h"

namespace gwm {
namespace {

// Below this norm a quotient is replaced by its limit; far below what f32 resolves in an angle.
constexpr double kTiny = 1e-12;

torch::Tensor At(const torch::Tensor& x, int64_t index) { return x.select(-1, index); }
torch::Tensor Entry(const torch::Tensor& matrices, int64_t row, int64_t column) {
  return matrices.select(-2, row).select(-1, column);
}

torch::Tensor Normalise(const torch::Tensor& vectors) {
  return vectors / vectors.norm(2, -1, /*keepdim=*/true).clamp_min(kTiny);
}

torch::Tensor StackRows(const torch::Tensor& a, const torch::Tensor& b, const torch::Tensor& c) {
  return torch::stack({a, b, c}, -2);
}

}  // namespace

torch::Tensor NormaliseQuat(const torch::Tensor& quats) {
  CheckTrailing(quats, {4}, "quats");
  return Normalise(quats);
}

torch::Tensor StandardiseQuat(const torch::Tensor& quats) {
  CheckTrailing(quats, {4}, "quats");
  return torch::where(quats.slice(-1, 0, 1) < 0, -quats, quats);
}

torch::Tensor MultiplyQuat(const torch::Tensor& a, const torch::Tensor& b) {
  CheckTrailing(a, {4}, "a");
  CheckTrailing(b, {4}, "b");
  const torch::Tensor aw = At(a, 0), ax = At(a, 1), ay = At(a, 2), az = At(a, 3);
  const torch::Tensor bw = At(b, 0), bx = At(b, 1), by = At(b, 2), bz = At(b, 3);
  return torch::stack(
      {aw * bw - ax * bx - ay * by - az * bz, aw * bx + ax * bw + ay * bz - az * by,
       aw * by - ax * bz + ay * bw + az * bx, aw * bz + ax * by - ay * bx + az * bw},
      -1);
}

torch::Tensor MatrixFromQuat(const torch::Tensor& quats) {
  const torch::Tensor q = NormaliseQuat(quats);
  const torch::Tensor w = At(q, 0), x = At(q, 1), y = At(q, 2), z = At(q, 3);
  return StackRows(
      torch::stack({1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)}, -1),
      torch::stack({2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)}, -1),
      torch::stack({2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)}, -1));
}

torch::Tensor QuatFromMatrix(const torch::Tensor& matrices) {
  CheckTrailing(matrices, {3, 3}, "matrices");
  const auto m = [&](int64_t row, int64_t column) { return Entry(matrices, row, column); };
  const torch::Tensor xx = m(0, 0), yy = m(1, 1), zz = m(2, 2);
  const torch::Tensor wx = m(2, 1) - m(1, 2), wy = m(0, 2) - m(2, 0), wz = m(1, 0) - m(0, 1);
  const torch::Tensor xy = m(0, 1) + m(1, 0), xz = m(0, 2) + m(2, 0), yz = m(1, 2) + m(2, 1);
  // Row i is 4 q_i q: the row with the largest q_i is the best conditioned of the four.
  const torch::Tensor rows = torch::stack({torch::stack({1 + xx + yy + zz, wx, wy, wz}, -1),
                                           torch::stack({wx, 1 + xx - yy - zz, xy, xz}, -1),
                                           torch::stack({wy, xy, 1 - xx + yy - zz, yz}, -1),
                                           torch::stack({wz, xz, yz, 1 - xx - yy + zz}, -1)},
                                          -2);
  const torch::Tensor best = rows.diagonal(0, -2, -1).argmax(-1, /*keepdim=*/true);  // [..., 1]
  std::vector<int64_t> shape = rows.sizes().vec();
  shape[shape.size() - 2] = 1;
  const torch::Tensor chosen = rows.gather(-2, best.unsqueeze(-1).expand(shape)).squeeze(-2);
  return StandardiseQuat(Normalise(chosen));
}

torch::Tensor MatrixFromRot6d(const torch::Tensor& rot6d) {
  CheckTrailing(rot6d, {6}, "rot6d");
  const torch::Tensor first = Normalise(rot6d.slice(-1, 0, 3));
  const torch::Tensor raw = rot6d.slice(-1, 3, 6);
  const torch::Tensor second = Normalise(raw - (first * raw).sum(-1, /*keepdim=*/true) * first);
  return StackRows(first, second, torch::linalg_cross(first, second));
}

torch::Tensor Rot6dFromMatrix(const torch::Tensor& matrices) {
  CheckTrailing(matrices, {3, 3}, "matrices");
  return matrices.slice(-2, 0, 2).flatten(-2);
}

torch::Tensor QuatFromAxisAngle(const torch::Tensor& axis_angle) {
  CheckTrailing(axis_angle, {3}, "axis_angle");
  const torch::Tensor angle = axis_angle.norm(2, -1, /*keepdim=*/true);
  // sin(angle / 2) / angle without its removable singularity.
  const torch::Tensor factor = 0.5 * torch::sinc(angle / (2 * std::numbers::pi));
  return torch::cat({(angle / 2).cos(), axis_angle * factor}, -1);
}

torch::Tensor MatrixFromAxisAngle(const torch::Tensor& axis_angle) {
  return MatrixFromQuat(QuatFromAxisAngle(axis_angle));
}

torch::Tensor AxisAngleFromQuat(const torch::Tensor& quats) {
  const torch::Tensor q = StandardiseQuat(NormaliseQuat(quats));
  const torch::Tensor xyz = q.slice(-1, 1, 4);
  const torch::Tensor w = q.slice(-1, 0, 1);
  const torch::Tensor norm = xyz.norm(2, -1, /*keepdim=*/true);
  const torch::Tensor angle = 2 * torch::atan2(norm, w);
  const torch::Tensor factor =
      torch::where(norm < kTiny, 2 * torch::ones_like(norm), angle / norm.clamp_min(kTiny));
  return xyz * factor;
}

torch::Tensor AxisAngleFromMatrix(const torch::Tensor& matrices) {
  return AxisAngleFromQuat(QuatFromMatrix(matrices));
}

torch::Tensor EulerXyzFromMatrix(const torch::Tensor& matrices) {
  CheckTrailing(matrices, {3, 3}, "matrices");
  return torch::stack({torch::atan2(-Entry(matrices, 1, 2), Entry(matrices, 2, 2)),
                       Entry(matrices, 0, 2).clamp(-1, 1).asin(),
                       torch::atan2(-Entry(matrices, 0, 1), Entry(matrices, 0, 0))},
                      -1);
}

torch::Tensor MatrixFromEulerXyz(const torch::Tensor& angles) {
  CheckTrailing(angles, {3}, "angles");
  const torch::Tensor cosines = angles.cos(), sines = angles.sin();
  const torch::Tensor cx = At(cosines, 0), cy = At(cosines, 1), cz = At(cosines, 2);
  const torch::Tensor sx = At(sines, 0), sy = At(sines, 1), sz = At(sines, 2);
  return StackRows(torch::stack({cy * cz, -cy * sz, sy}, -1),
                   torch::stack({cx * sz + sx * sy * cz, cx * cz - sx * sy * sz, -sx * cy}, -1),
                   torch::stack({sx * sz - cx * sy * cz, sx * cz + cx * sy * sz, cx * cy}, -1));
}

}  // namespace gwm
