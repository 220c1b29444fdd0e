#include "engine/toy/scene.h"

#include <gtest/gtest.h>

#include <cmath>

namespace gwm::toy {
namespace {

TEST(Scene, ItsCloudHoldsTheEllipsoidsInThePublicForm) {
  Scene scene;
  const Quaternion turn = FromYaw(0.7F);
  scene.Add({.mean_m = {1, 2, 3},
             .rotation = turn,
             .sigmas_m = {0.1F, 0.2F, 0.4F},
             .colour = {1, 0.5F, 0}});
  const GaussianCloud cloud = scene.Cloud();
  EXPECT_EQ(cloud.means.values<float>()[2], 3);
  EXPECT_EQ(cloud.quats.values<float>()[0], turn[0]);
  EXPECT_EQ(cloud.quats.values<float>()[3], turn[3]);
  EXPECT_NEAR(cloud.log_scales.values<float>()[2], std::log(0.4), 1e-6);
  EXPECT_NEAR(cloud.sh.values<float>()[0] * 0.28209479, 0.5, 1e-6);
  EXPECT_EQ(cloud.sh.values<float>()[1], 0);
}

// How bright the pixel at (x, y) of the table is, of a white rectangle on black.
float Brightness(float heading_rad, float x, float y) {
  Scene scene;
  scene.AddRectangle(0, 0, 0, heading_rad,
                     {.length_m = 1.6F, .width_m = 0.4F, .rows = 16, .columns = 4}, {1, 1, 1});
  const RenderedView view = scene.Render(TopCamera(), {.rgb_dtype = DType::kF32});
  const auto row = static_cast<size_t>((1.2F - y) / 2.4F * 64);
  const auto column = static_cast<size_t>((1.2F + x) / 2.4F * 64);
  return view.rgb.values<float>()[3 * (64 * row + column)];
}

TEST(Scene, ARectangleLiesAlongItsHeading) {
  EXPECT_GT(Brightness(0, 0.7F, 0), 0.9F);
  EXPECT_LT(Brightness(0, 0, 0.4F), 0.05F);
  EXPECT_GT(Brightness(1.5707963F, 0, 0.7F), 0.9F);
  EXPECT_LT(Brightness(1.5707963F, 0.4F, 0), 0.05F);
  EXPECT_GT(Brightness(0.7853982F, 0.45F, 0.45F), 0.9F);
  EXPECT_LT(Brightness(0.7853982F, 0.45F, -0.45F), 0.05F);
}

}  // namespace
}  // namespace gwm::toy
