#include "engine/toy/rotation.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

namespace gwm::toy {
namespace {

constexpr float kPi = std::numbers::pi_v<float>;

void ExpectNear(const Vector& got, const Vector& expected) {
  for (size_t i = 0; i < 3; ++i) EXPECT_NEAR(got[i], expected[i], 1e-6) << i;
}

TEST(Rotation, AYawTurnsXTowardsY) {
  ExpectNear(Rotated(FromYaw(kPi / 2), {1, 0, 0}), {0, 1, 0});
  ExpectNear(Rotated(FromYaw(kPi / 6), {1, 0, 5}), {std::sqrt(0.75F), 0.5F, 5});
}

TEST(Rotation, RowsAreThoseOfTheMatrix) {
  const float c = std::cos(0.3F), s = std::sin(0.3F);
  // About z and about x: the columns that a unit vector goes to.
  const Quaternion about_z = FromRows({c, -s, 0}, {s, c, 0});
  ExpectNear(Rotated(about_z, {1, 0, 0}), {c, s, 0});
  EXPECT_NEAR(AngleBetween(about_z, FromYaw(0.3F)), 0, 1e-6);
  const Quaternion about_x = FromRows({1, 0, 0}, {0, c, -s});
  ExpectNear(Rotated(about_x, {0, 1, 0}), {0, c, s});
}

TEST(Rotation, RowsAreMadeOrthonormalTheFirstOneFirst) {
  const Quaternion q = FromRows({2, 0, 0}, {0.5F, 3, 0});
  EXPECT_NEAR(AngleBetween(q, kNoRotation), 0, 1e-6);
}

TEST(Rotation, AProductTurnsByTheRightOneFirst) {
  const float c = std::cos(0.4F), s = std::sin(0.4F);
  const Quaternion tilt = FromRows({1, 0, 0}, {0, c, -s}), yaw = FromYaw(1);
  const Vector v = {0.3F, -0.7F, 0.2F};
  ExpectNear(Rotated(Product(yaw, tilt), v), Rotated(yaw, Rotated(tilt, v)));
  ExpectNear(Rotated(Product(Inverse(tilt), tilt), v), v);
}

TEST(Rotation, TheAngleIsThatOfTheShorterWay) {
  EXPECT_NEAR(AngleBetween(FromYaw(0.2F), FromYaw(1.5F)), 1.3, 1e-6);
  EXPECT_NEAR(AngleBetween(FromYaw(-3), FromYaw(3)), 2 * kPi - 6, 1e-5);
}

TEST(Rotation, NothingIsTakenForNoRotation) {
  EXPECT_EQ(Normalised({0, 0, 0, 0}), kNoRotation);
  EXPECT_EQ(Normalised({0, 0, 0, -3}), (Quaternion{0, 0, 0, -1}));
}

}  // namespace
}  // namespace gwm::toy
