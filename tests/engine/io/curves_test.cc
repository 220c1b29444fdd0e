#include <cmath>

#include "engine/io/image.h"
#include "engine/io/plot_axis.h"
#include "tests/engine/io/test_support.h"

namespace gwm::io {
namespace {

constexpr std::array<uint8_t, 3> kFirstColour = {31, 119, 180};

// Pixels of the first curve's colour below the legend.
int CurvePixels(const Image& image, int from_row = 60) {
  int count = 0;
  for (size_t i = size_t{3} * from_row * image.width; i < image.pixels.size(); i += 3) {
    count += std::equal(kFirstColour.begin(), kFirstColour.end(), &image.pixels[i]);
  }
  return count;
}

std::vector<std::string> Labels(const Axis& axis) {
  std::vector<std::string> labels;
  for (const Tick& tick : axis.ticks) labels.push_back(tick.label);
  return labels;
}

TEST(PlotAxisTest, PutsTicksAtRoundNumbers) {
  EXPECT_THAT(Labels(LinearAxis(0, 1, 0, 5)),
              ::testing::ElementsAre("0", "0.2", "0.4", "0.6", "0.8", "1.0"));
  EXPECT_THAT(Labels(LinearAxis(0, 20'000, 0, 4)),
              ::testing::ElementsAre("0", "5k", "10k", "15k", "20k"));
  EXPECT_THAT(Labels(LinearAxis(-3, 3, 0, 3)), ::testing::ElementsAre("-2", "0", "2"));
  EXPECT_THAT(Labels(LinearAxis(2e-6, 4e-6, 0, 4)), ::testing::Contains("3e-06"));
}

TEST(PlotAxisTest, WidensARangeOfOneValue) {
  for (double value : {0.0, 7.0, -1e12, 1e-30}) {
    const Axis axis = LinearAxis(value, value, 0.05, 5);
    EXPECT_LT(axis.low, value);
    EXPECT_GT(axis.high, value);
    EXPECT_GE(axis.ticks.size(), 2u) << value;
    EXPECT_LE(axis.ticks.size(), 12u) << value;
  }
}

TEST(PlotAxisTest, PutsLogarithmicTicksAtPowersOfTen) {
  EXPECT_THAT(Labels(LogAxis(0.002, 30, 6)), ::testing::ElementsAre("0.01", "0.1", "1", "10"));
  EXPECT_THAT(Labels(LogAxis(1, 20, 6)), ::testing::ElementsAre("1", "2", "5", "10", "20"));
  EXPECT_LE(LogAxis(1e-300, 1e300, 6).ticks.size(), 8u);
  EXPECT_GE(LogAxis(0.5, 0.5, 6).ticks.size(), 2u);
  EXPECT_DOUBLE_EQ(LogAxis(1, 100, 6).Fraction(10), 0.5);
}

TEST(PlotAxisTest, HasNoTicksWithoutData) {
  EXPECT_TRUE(LinearAxis(INFINITY, -INFINITY, 0, 5).ticks.empty());
  EXPECT_TRUE(LogAxis(INFINITY, -INFINITY, 5).ticks.empty());
}

TEST(PlotCurvesTest, DrawsACurveThroughItsPoints) {
  const Image image = PlotCurves({{.label = "", .x = {0, 1, 2}, .y = {0, 5, 0}}}, {.title = "t"});
  EXPECT_EQ(image.width, 720);
  EXPECT_EQ(image.height, 420);
  EXPECT_GT(CurvePixels(image), 500);
}

TEST(PlotCurvesTest, LeavesGapsWhereValuesAreMissing) {
  const Curve whole{"", {0, 1, 2, 3}, {1, 1, 1, 1}};
  Curve gap = whole;
  gap.y[1] = NAN;
  EXPECT_LT(CurvePixels(PlotCurves({gap}, {})), CurvePixels(PlotCurves({whole}, {})) / 2);
}

TEST(PlotCurvesTest, DrawsALonelyPointAsADot) {
  const int pixels = CurvePixels(PlotCurves({{.label = "", .x = {3}, .y = {4}}}, {}));
  EXPECT_GT(pixels, 8);
  EXPECT_LT(pixels, 200);
}

TEST(PlotCurvesTest, SkipsValuesWithoutALogarithm) {
  const Curve curve{"", {0, 1, 2, 3}, {0, -1, 1, 10}};
  EXPECT_GT(CurvePixels(PlotCurves({curve}, {.log_y = true})), 50);
}

TEST(PlotCurvesTest, SurvivesExtremeInput) {
  const std::vector<Curve> odd = {{"huge", {0, 1e308, -1e308}, {1e308, -1e308, 0}},
                                  {"short", {1, 2, 3}, {1}},
                                  {"none", {}, {}},
                                  {"nan", {NAN, INFINITY}, {NAN, 1}},
                                  {std::string(500, 'w'), {1}, {1e-308}}};
  for (bool log_y : {false, true}) {
    for (int side : {-5, 0, 1, 200}) {
      const Image image = PlotCurves(odd, {std::string(300, 't'), "x", side, side, log_y});
      EXPECT_EQ(image.pixels.size(), size_t{3} * image.width * image.height);
    }
  }
  EXPECT_EQ(CurvePixels(PlotCurves({}, {})), 0);
}

}  // namespace
}  // namespace gwm::io
