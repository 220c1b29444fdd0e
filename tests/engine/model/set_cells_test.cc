#include "engine/model/set_cells.h"

#include <gtest/gtest.h>

#include "engine/model/set_points.h"
#include "tests/engine/model/model_builders.h"

namespace gwm {
namespace {

// 24 directions about the optical axis, two centres left and right.
struct TwoCells {
  TwoCells() {
    const auto x = torch::linspace(-0.5, 0.5, 24);
    sight = torch::stack({x, 0.1 * torch::sin(9 * x), torch::ones_like(x)}, -1).unsqueeze(0);
    centres = torch::tensor({{{-0.25, 0.0, 1.0}, {0.25, 0.0, 1.0}}});
    owner = (x > 0).to(torch::kLong).unsqueeze(0);
  }
  torch::Tensor sight, centres, owner;
};

TEST(SetCellsTest, EveryGaussianHasItsOwnSlotInTheCellOfItsOwner) {
  const TwoCells t;
  const auto cells = MakeCells(t.sight, t.centres, t.owner);
  const int64_t room = CellRoom(24, 2);
  EXPECT_EQ(room, 36);
  EXPECT_TRUE(torch::equal(cells.slot.div(room, "floor"), t.owner));
  EXPECT_EQ(std::get<0>(at::_unique(cells.slot)).numel(), 24);
  EXPECT_TRUE(torch::equal(cells.count, torch::tensor({{{12.0F}, {12.0F}}})));
}

TEST(SetCellsTest, PlacesWithinACellSpanMinusOneToOneAroundItsCentre) {
  const TwoCells t;
  const auto cells = MakeCells(t.sight, t.centres, t.owner);
  const auto places = FromSlots(cells.within.flatten(1, 2), cells.slot);
  EXPECT_NEAR(places.abs().max().item<float>(), 1, 1e-6);
  const auto left_of_centre = (t.sight.select(-1, 0) < -0.26) & (t.owner == 0);
  EXPECT_LT(places.select(-1, 0).index({left_of_centre}).max().item<float>(), 0);
}

TEST(SetCellsTest, GaussiansBeyondTheRoomOfACellAreInNone) {
  TwoCells t;
  // Five centres whose cells but one are empty: 24 Gaussians where there is room for 15.
  t.centres = torch::cat({t.centres, t.centres + 0.01, t.centres.narrow(1, 0, 1) + 0.02}, 1);
  const int64_t none = 5 * CellRoom(24, 5);
  const auto cells = MakeCells(t.sight, t.centres, torch::zeros_like(t.owner));
  EXPECT_EQ((cells.slot == none).sum().item<int64_t>(), 24 - CellRoom(24, 5));
  const auto values = FromSlots(torch::ones({1, none, 1}), cells.slot);
  EXPECT_EQ(values.sum().item<float>(), CellRoom(24, 5));
}

TEST(SetCellsTest, WhatGoesIntoSlotsComesBackAndSharedSlotsHoldTheMean) {
  testing::Normals normal(2);
  const auto x = normal({2, 7, 3});
  const auto slots = torch::tensor({{0, 1, 2, 3, 4, 5, 6}, {6, 5, 4, 3, 2, 1, 0}}, torch::kLong);
  EXPECT_TRUE(torch::equal(FromSlots(IntoSlots(x, slots, 9), slots), x));
  const auto shared = torch::zeros_like(slots);
  EXPECT_TRUE(torch::allclose(IntoSlots(x, shared, 9).select(1, 0), x.mean(1), 1e-5, 1e-6));
  EXPECT_EQ(IntoSlots(x, torch::full_like(slots, 9), 9).abs().max().item<float>(), 0);
}

// As many functions as an 8 x 8 patch has pixels: any pattern on it is a sum of them.
TEST(SetCellsTest, CellFunctionsTellThePixelsOfAPatchApart) {
  const auto axis = (torch::arange(8, torch::kDouble) + 0.5) / 4 - 1;
  const auto grid = torch::meshgrid({axis, axis}, "ij");
  const auto functions = CellFunctions(torch::stack({grid[0], grid[1]}, -1).reshape({64, 2}));
  ASSERT_EQ(functions.sizes().vec(), (std::vector<int64_t>{64, kCellFunctions}));
  EXPECT_GT(torch::linalg_svdvals(functions).min().item<double>(), 0.1);
}

TEST(SetPointsTest, NewsNameThePixelOfTheResetFrameInEveryView) {
  torch::NoGradGuard no_grad;
  const auto model = testing::ShakenModel("set");
  const auto& c = model->config;
  SceneBatch scene;
  scene.height = c.height;
  scene.width = c.width;
  scene.intrinsics = torch::tensor({{32.0F, 0.0F, 16.0F}, {0.0F, 32.0F, 16.0F}, {0.0F, 0.0F, 1.0F}})
                         .repeat({1, 2, 1, 1});
  scene.world_from_cam = torch::eye(4).repeat({1, 2, 1, 1});
  scene.world_from_cam[0][1][0][3] = 40;  // the second camera stands elsewhere
  const auto pixel = torch::arange(32 * 32);
  const auto ray = torch::stack({(pixel.remainder(32) + 0.5 - 16) / 32,
                                 (pixel.div(32, "floor") + 0.5 - 16) / 32, torch::ones({32 * 32})},
                                -1);
  scene.gaussians.means = torch::cat({ray, ray + torch::tensor({40.0F, 0.0F, 0.0F})}).unsqueeze(0);
  const int64_t n = scene.gaussians.means.size(1);
  scene.gaussians.log_scales = torch::zeros({1, n, 3});
  scene.gaussians.quats = torch::ones({1, n, 4});
  scene.gaussians.sh = torch::zeros({1, n, 1, 3});
  scene.gaussians.opacity_logits = torch::zeros({1, n});
  const auto same = News(scene, scene);
  EXPECT_TRUE(torch::equal(same.pixel[0], torch::arange(n)));
  EXPECT_LE(same.values.abs().max().item<float>(), 1e-5);
  auto moved = scene;
  moved.gaussians.means = scene.gaussians.means + torch::tensor({0.0F, 0.0F, -50.0F});
  EXPECT_EQ(News(moved, scene).pixel.max().item<int64_t>(), -1);
}

}  // namespace
}  // namespace gwm
