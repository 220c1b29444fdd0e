// Cameras, Gaussians, rotations and their golden numbers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numbers>
#include <vector>

#include "engine/scene/camera.h"
#include "engine/scene/gaussian_ops.h"
#include "engine/scene/gaussians.h"
#include "engine/scene/rotations.h"
#include "tests/engine/scene/scene_builders.h"

namespace gwm {
namespace {

using ::testing::HasSubstr;
using testing::RandomScene;
using testing::SeededGenerator;
using testing::TestCamera;
using ::testing::ThrowsMessage;

bool Close(const torch::Tensor& a, const torch::Tensor& b, double tolerance) {
  return torch::allclose(a, b, /*rtol=*/0, tolerance);
}

torch::Tensor RandomQuats(int64_t n) {
  torch::Generator generator = SeededGenerator(11);
  return NormaliseQuat(torch::randn({n, 4}, generator, torch::kFloat64));
}

TEST(CameraTest, ProjectUndoesUnproject) {
  const Camera one = TestCamera(7, 5, 0.3);
  const Camera two = TestCamera(7, 5, 2.0);
  const Cameras cameras = CamerasFrom(std::vector<Camera>{one, two});
  torch::Generator generator = SeededGenerator(1);
  const torch::Tensor depth = torch::rand({3, 2, 5, 7}, generator) + 0.5;
  const torch::Tensor p_world = Unproject(depth, cameras);
  ASSERT_EQ(p_world.sizes(), (c10::IntArrayRef{3, 2, 5, 7, 3}));
  const Projection back = Project(p_world.flatten(1, 3), cameras);
  for (int64_t v = 0; v < 2; ++v) {
    // Points of view v, seen by view v.
    const torch::Tensor uv = back.uv.select(1, v).slice(1, 35 * v, 35 * (v + 1)).view({3, 5, 7, 2});
    EXPECT_TRUE(Close(uv.select(-1, 0), (torch::arange(7) + 0.5).expand({3, 5, 7}), 1e-4));
    EXPECT_TRUE(
        Close(uv.select(-1, 1), (torch::arange(5) + 0.5).view({5, 1}).expand({3, 5, 7}), 1e-4));
    const torch::Tensor z = back.depth.select(1, v).slice(1, 35 * v, 35 * (v + 1)).view({3, 5, 7});
    EXPECT_TRUE(Close(z, depth.select(1, v), 1e-5));
  }
}

TEST(CameraTest, LookAtSeesTheTargetInTheCentreWithZUp) {
  const Camera camera = TestCamera();
  const Cameras cameras = CamerasFrom({&camera, 1});
  const torch::Tensor points = torch::tensor({{0.0f, 0.0f, 0.0f}, {0.0f, 0.0f, 0.3f}});
  const Projection seen = Project(points, cameras);
  EXPECT_TRUE(Close(seen.uv[0][0], torch::tensor({20.0f, 12.0f}), 1e-4));
  EXPECT_LT(seen.uv[0][1][1].item<float>(), 11) << "world +z must be up in the image";
  EXPECT_NEAR(seen.uv[0][1][0].item<float>(), 20, 1e-4);
}

TEST(CameraTest, MoveCameraMovesAlongItsOwnAxes) {
  const Camera camera = TestCamera();
  const Camera moved = MoveCamera(camera, {0.05, 0, 0});
  const torch::Tensor point = torch::zeros({1, 3});
  const Projection before = Project(point, CamerasFrom({&camera, 1}));
  const Projection after = Project(point, CamerasFrom({&moved, 1}));
  const double shift_px = 0.05 * camera.intrinsics[0] / before.depth.item<double>();
  EXPECT_NEAR((before.uv - after.uv)[0][0][0].item<double>(), shift_px, 1e-3);
  EXPECT_NEAR((before.uv - after.uv)[0][0][1].item<double>(), 0, 1e-4);
}

TEST(CameraTest, ConvertsToTheApiAndBack) {
  const Camera camera = TestCamera();
  const Camera back = CameraAt(CamerasFrom({&camera, 1}), 0);
  EXPECT_EQ(back.intrinsics, camera.intrinsics);
  EXPECT_EQ(back.world_from_cam, camera.world_from_cam);
  EXPECT_EQ(back.width, camera.width);
}

TEST(CameraTest, RefusesImagesOfTwoSizes) {
  const std::vector<Camera> cameras = {TestCamera(8, 8), TestCamera(9, 8)};
  EXPECT_THAT(
      [&] { CamerasFrom(cameras); },
      ThrowsMessage<c10::ValueError>(HasSubstr("camera 1 has 8 x 9 pixels, camera 0 has 8 x 8")));
}

TEST(GaussiansTest, SliceIndexCatAndStackAgree) {
  const Gaussians scene = RandomScene(1, 10, 1);
  const Gaussians joined = Cat(std::vector<Gaussians>{scene.Slice(0, 4), scene.Slice(4, 10)});
  EXPECT_TRUE(torch::equal(joined.sh, scene.sh));
  EXPECT_TRUE(torch::equal(joined.opacity_logits, scene.opacity_logits));
  const Gaussians picked = scene.Index(torch::tensor({3, 1}));
  EXPECT_TRUE(torch::equal(picked.means[0], scene.means[3]));
  const Gaussians stacked = Stack(std::vector<Gaussians>{scene, scene});
  EXPECT_EQ(stacked.means.sizes(), (c10::IntArrayRef{2, 10, 3}));
  EXPECT_TRUE(torch::equal(stacked[1].quats, scene.quats));
  EXPECT_EQ(scene.sh_degree(), 1);
}

TEST(GaussiansTest, CloudKeepsEveryBit) {
  const Gaussians scene = RandomScene(2, 6, 2);
  const Gaussians back = FromCloud(ToCloud(scene));
  EXPECT_TRUE(torch::equal(back.means, scene.means));
  EXPECT_TRUE(torch::equal(back.log_scales, scene.log_scales));
  EXPECT_TRUE(torch::equal(back.quats, scene.quats));
  EXPECT_TRUE(torch::equal(back.sh, scene.sh));
  EXPECT_TRUE(torch::equal(back.opacity_logits, scene.opacity_logits));
}

TEST(GaussianOpsTest, MatchesThePublishedNumbers) {
  // Quaternion x, y, z, w = (.1, .2, .3, .9), scales (.5, 1, 2).
  const torch::Tensor quat = torch::tensor({0.9, 0.1, 0.2, 0.3}, torch::kFloat64);
  const torch::Tensor scales = torch::tensor({0.5, 1.0, 2.0}, torch::kFloat64);
  const torch::Tensor rotation =
      torch::tensor({.72631579, -.52631579, .44210526, .61052632, .78947368, -.06315789, -.31578947,
                     .31578947, .89473684},
                    torch::kFloat64);
  EXPECT_TRUE(Close(MatrixFromQuat(quat).flatten(), rotation, 1e-8));
  const torch::Tensor covariance = torch::tensor(
      {1.19072022, -.41634349, 1.35872576, .73240997, -.02493075, 3.32686981}, torch::kFloat64);
  EXPECT_TRUE(Close(UpperTriangle(CovarianceFrom(quat, scales)), covariance, 1e-8));
  const torch::Tensor identity =
      torch::matmul(CovarianceFrom(quat, scales), PrecisionFrom(quat, scales));
  EXPECT_TRUE(Close(identity, torch::eye(3, torch::kFloat64), 1e-12));
}

TEST(GaussianOpsTest, HarmonicsAreOrthonormalOnTheSphere) {
  torch::Generator generator = SeededGenerator(4);
  const torch::Tensor directions = torch::randn({400000, 3}, generator);
  const torch::Tensor bases = ShBases(directions, 4);
  const torch::Tensor gram =
      torch::matmul(bases.t(), bases) * (4 * std::numbers::pi / static_cast<double>(bases.size(0)));
  EXPECT_TRUE(Close(gram, torch::eye(25), 0.02));
}

TEST(RotationsTest, EveryFormLeadsBackToTheSameRotation) {
  const torch::Tensor quats = RandomQuats(64);
  const torch::Tensor matrices = MatrixFromQuat(quats);
  EXPECT_TRUE(Close(QuatFromMatrix(matrices), StandardiseQuat(quats), 1e-12));
  EXPECT_TRUE(Close(MatrixFromRot6d(Rot6dFromMatrix(matrices)), matrices, 1e-12));
  EXPECT_TRUE(Close(MatrixFromAxisAngle(AxisAngleFromMatrix(matrices)), matrices, 1e-12));
  EXPECT_TRUE(Close(MatrixFromEulerXyz(EulerXyzFromMatrix(matrices)), matrices, 1e-12));
  const torch::Tensor product = torch::matmul(matrices, matrices.flip(0));
  EXPECT_TRUE(Close(MatrixFromQuat(MultiplyQuat(quats, quats.flip(0))), product, 1e-12));
}

TEST(RotationsTest, StaysFiniteAtTheIdentityAndAtHalfATurn) {
  torch::Tensor zero = torch::zeros({1, 3}, torch::kFloat64).requires_grad_(true);
  const torch::Tensor identity = MatrixFromAxisAngle(zero);
  EXPECT_TRUE(Close(identity[0], torch::eye(3, torch::kFloat64), 1e-15));
  identity.sum().backward();
  EXPECT_TRUE(zero.grad().isfinite().all().item<bool>());
  const torch::Tensor half = torch::tensor({{0.0, 1.0, 0.0, 0.0}}, torch::kFloat64);
  const torch::Tensor axis_angle = AxisAngleFromMatrix(MatrixFromQuat(half));
  EXPECT_NEAR(axis_angle.norm().item<double>(), std::numbers::pi, 1e-12);
  EXPECT_TRUE(AxisAngleFromQuat(torch::tensor({{1.0, 0.0, 0.0, 0.0}})).eq(0).all().item<bool>());
}

}  // namespace
}  // namespace gwm
