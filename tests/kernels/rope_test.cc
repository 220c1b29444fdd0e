#include "kernels/rope.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "tests/kernels/test_support.h"

namespace gwm::kernels {
namespace {

struct Tables {
  std::vector<float> cos, sin;
};

Tables MakeTables(const std::vector<float>& positions, const std::vector<float>& frequencies,
                  int64_t rows, const std::vector<int32_t>& axes = {}) {
  const int64_t bands = static_cast<int64_t>(frequencies.size());
  Tables tables = {std::vector<float>(rows * bands), std::vector<float>(rows * bands)};
  RopeTableArgs args;
  args.positions = positions.data();
  args.frequencies = frequencies.data();
  args.band_axis = axes.empty() ? nullptr : axes.data();
  args.rows = rows;
  args.bands = bands;
  args.axes = static_cast<int64_t>(positions.size()) / rows;
  args.cos = tables.cos.data();
  args.sin = tables.sin.data();
  EXPECT_EQ(RopeTable(args), KernelStatus::kOk);
  return tables;
}

std::vector<float> Apply(const std::vector<float>& x, const Tables& tables, int64_t batch,
                         int64_t heads, int64_t tokens, int64_t head_dim, RopeLayout layout) {
  std::vector<float> out = x;  // in place
  RopeApplyArgs args;
  args.x = out.data();
  args.cos = tables.cos.data();
  args.sin = tables.sin.data();
  args.batch = batch;
  args.heads = heads;
  args.tokens = tokens;
  args.head_dim = head_dim;
  args.layout = layout;
  args.out = out.data();
  EXPECT_EQ(RopeApply(args), KernelStatus::kOk);
  return out;
}

// DUSt3R's 2-D form: the first half of the head is rotated by the row, the second by the column; a
// head of 8 is then two tokens of 4.
TEST(RopeTest, RotatesByRowAndColumnToTheGoldenValues) {
  std::vector<float> frequencies(2);
  RopeFrequencies(100, 4, frequencies.data());
  const Tables tables = MakeTables({3, 5}, frequencies, 2);
  const std::vector<float> got =
      Apply({.1f, .2f, .3f, .4f, .5f, .6f, .7f, .8f}, tables, 1, 1, 2, 4, RopeLayout::kHalfSplit);
  const std::vector<double> want = {-.1413353, .0728592, -.2828857, .4412386,
                                    .8130781,  .1430091, -.2808986, .9897214};
  for (int i = 0; i < 8; ++i) EXPECT_NEAR(got[i], want[i], 2e-7) << i;
}

TEST(RopeTest, EqualsTheComplexRotationForBothLayoutsAndRaggedSizes) {
  for (const int64_t head_dim : {2, 6, 16}) {
    const int64_t batch = 2, heads = 3, tokens = 5, bands = head_dim / 2;
    Lcg lcg(static_cast<uint64_t>(head_dim));
    const std::vector<float> x = UniformFloats(&lcg, batch * heads * tokens * head_dim, -1, 1);
    const std::vector<float> positions = UniformFloats(&lcg, batch * tokens, -50, 50);
    std::vector<float> frequencies(bands);
    RopeFrequencies(1e4, head_dim, frequencies.data());
    const Tables tables = MakeTables(positions, frequencies, batch * tokens);
    for (const RopeLayout layout : {RopeLayout::kHalfSplit, RopeLayout::kInterleaved}) {
      const std::vector<float> got = Apply(x, tables, batch, heads, tokens, head_dim, layout);
      for (int64_t row = 0; row < batch * heads * tokens; ++row) {
        const int64_t token = row / (heads * tokens) * tokens + row % tokens;
        for (int64_t i = 0; i < bands; ++i) {
          const bool half = layout == RopeLayout::kHalfSplit;
          const int64_t a = row * head_dim + (half ? i : 2 * i);
          const int64_t b = row * head_dim + (half ? i + bands : 2 * i + 1);
          const double angle =
              double{positions[token]} * std::pow(1e4, -2.0 * double(i) / double(head_dim));
          EXPECT_NEAR(got[a], x[a] * std::cos(angle) - x[b] * std::sin(angle), 5e-6);
          EXPECT_NEAR(got[b], x[b] * std::cos(angle) + x[a] * std::sin(angle), 5e-6);
        }
      }
    }
  }
}

TEST(RopeTest, EachBandFollowsItsOwnAxis) {
  const std::vector<float> positions = {1, 2, 10, 20, 100, 200};  // three axes, two rows
  const Tables tables = MakeTables(positions, {.01f, .02f, .03f}, 2, {2, 0, 1});
  EXPECT_NEAR(tables.cos[0], std::cos(100 * .01), 1e-6);
  EXPECT_NEAR(tables.sin[1], std::sin(1 * .02), 1e-6);
  EXPECT_NEAR(tables.cos[5], std::cos(20 * .03), 1e-6);
}

TEST(RopeTest, NegatedSineUndoesTheRotation) {
  Lcg lcg(4);
  const std::vector<float> x = UniformFloats(&lcg, 4 * 8, -1, 1);
  Tables tables = MakeTables({.5f, 1, 7, 9}, {1, .1f, .3f, .7f}, 4);
  const std::vector<float> rotated = Apply(x, tables, 1, 1, 4, 8, RopeLayout::kInterleaved);
  for (float& s : tables.sin) s = -s;
  const std::vector<float> back = Apply(rotated, tables, 1, 1, 4, 8, RopeLayout::kInterleaved);
  EXPECT_LT(Match(back, x, 1e-6, 0).worst_excess, 1);
}

TEST(RopeTest, RejectsOddHeadsAndUnknownAxes) {
  RopeApplyArgs apply;
  apply.head_dim = 3;
  EXPECT_EQ(RopeApply(apply), KernelStatus::kInvalidArgument);
  const int32_t axis = 1;
  RopeTableArgs table;
  table.bands = 1;
  table.band_axis = &axis;
  EXPECT_EQ(RopeTable(table), KernelStatus::kInvalidArgument);
}

}  // namespace
}  // namespace gwm::kernels
