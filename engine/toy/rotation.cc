#include "engine/toy/rotation.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace gwm::toy {
namespace {

float Dot(const Vector& a, const Vector& b) { return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]; }
Vector Cross(const Vector& a, const Vector& b) {
  return {a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]};
}
// a + factor * b.
Vector Sum(const Vector& a, float factor, const Vector& b) {
  return {a[0] + factor * b[0], a[1] + factor * b[1], a[2] + factor * b[2]};
}
Vector Unit(const Vector& v) { return Sum({}, 1 / std::sqrt(Dot(v, v)), v); }

}  // namespace

Quaternion FromYaw(float yaw_rad) { return {std::cos(yaw_rad / 2), 0, 0, std::sin(yaw_rad / 2)}; }

Quaternion FromRows(const Vector& first, const Vector& second) {
  const Vector x = Unit(first);
  const Vector y = Unit(Sum(second, -Dot(x, second), x));
  const Vector z = Cross(x, y);
  // From the trace: it is far from its pole at half a turn.
  const float w = std::sqrt(1 + x[0] + y[1] + z[2]) / 2;
  return Normalised({w, (z[1] - y[2]) / (4 * w), (x[2] - z[0]) / (4 * w), (y[0] - x[1]) / (4 * w)});
}

Quaternion Normalised(const Quaternion& q) {
  const float length = std::sqrt(q[0] * q[0] + q[1] * q[1] + q[2] * q[2] + q[3] * q[3]);
  if (length == 0) return kNoRotation;
  Quaternion unit{};
  // Rounding may not lead out of the range of a unit quaternion's entries.
  for (size_t i = 0; i < 4; ++i) unit[i] = std::clamp(q[i] / length, -1.0F, 1.0F);
  return unit;
}

Quaternion Product(const Quaternion& left, const Quaternion& right) {
  const auto [a, b, c, d] = left;
  const auto [e, f, g, h] = right;
  return {a * e - b * f - c * g - d * h, a * f + b * e + c * h - d * g,
          a * g - b * h + c * e + d * f, a * h + b * g - c * f + d * e};
}

Quaternion Inverse(const Quaternion& q) { return {q[0], -q[1], -q[2], -q[3]}; }

Vector Rotated(const Quaternion& q, const Vector& v) {
  // v + 2 w (u x v) + 2 u x (u x v), u the imaginary part.
  const Vector u = {q[1], q[2], q[3]};
  const Vector once = Cross(u, v);
  return Sum(Sum(v, 2 * q[0], once), 2, Cross(u, once));
}

float AngleBetween(const Quaternion& a, const Quaternion& b) {
  const Quaternion turn = Product(Inverse(a), b);
  const float sine = std::sqrt(turn[1] * turn[1] + turn[2] * turn[2] + turn[3] * turn[3]);
  return 2 * std::atan2(sine, std::abs(turn[0]));
}

}  // namespace gwm::toy
