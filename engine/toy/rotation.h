// Rotations of rigid groups: unit quaternions w, x, y, z.
#ifndef GWM_ENGINE_TOY_ROTATION_H_
#define GWM_ENGINE_TOY_ROTATION_H_

#include <array>

namespace gwm::toy {

using Vector = std::array<float, 3>;
using Quaternion = std::array<float, 4>;
inline constexpr Quaternion kNoRotation = {1, 0, 0, 0};

// About +z, from +x towards +y.
Quaternion FromYaw(float yaw_rad);
// The rotation whose matrix has these first two rows, made orthonormal in this order (the 6-d form
// of Zhou et al., arXiv 1812.07035). Requires rows near those of the identity: less than a quarter
// turn, neither zero nor parallel.
Quaternion FromRows(const Vector& first, const Vector& second);
// kNoRotation where all entries are zero.
Quaternion Normalised(const Quaternion& q);
// First `right`, then `left`.
Quaternion Product(const Quaternion& left, const Quaternion& right);
Quaternion Inverse(const Quaternion& q);
Vector Rotated(const Quaternion& q, const Vector& v);
// Of the smallest rotation that takes one to the other, in [0, pi] rad.
float AngleBetween(const Quaternion& a, const Quaternion& b);

}  // namespace gwm::toy

#endif  // GWM_ENGINE_TOY_ROTATION_H_
