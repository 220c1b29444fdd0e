#include "kernels/norm_modulate.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "kernels/parallel.h"
#include "tests/kernels/test_support.h"

namespace gwm::kernels {
namespace {

struct Inputs {
  std::vector<float> x, branch, gate, weight, scale, shift;
};

Inputs MakeInputs(int64_t rows, int64_t width, int64_t conditions) {
  Lcg lcg(static_cast<uint64_t>(rows * 1000 + width));
  return {UniformFloats(&lcg, rows * width, -2, 2),
          UniformFloats(&lcg, rows * width, -2, 2),
          UniformFloats(&lcg, conditions * width, -1, 1),
          UniformFloats(&lcg, width, .5, 1.5),
          UniformFloats(&lcg, conditions * width, -1, 1),
          UniformFloats(&lcg, conditions * width, -1, 1)};
}

NormModulateArgs ArgsOf(const Inputs& in, int64_t rows, int64_t width, int64_t rows_per_condition) {
  NormModulateArgs args;
  args.x = in.x.data();
  args.branch = in.branch.data();
  args.gate = in.gate.data();
  args.weight = in.weight.data();
  args.scale = in.scale.data();
  args.shift = in.shift.data();
  args.rows = rows;
  args.width = width;
  args.rows_per_condition = rows_per_condition;
  return args;
}

TEST(NormModulateTest, EqualsTheFormulaInDoubleForRaggedWidths) {
  for (const int64_t width : {1, 7, 16, 17, 33, 384}) {
    const int64_t rows = 6, per_condition = 3;
    const Inputs in = MakeInputs(rows, width, 2);
    std::vector<float> residual(rows * width), out(rows * width);
    NormModulateArgs args = ArgsOf(in, rows, width, per_condition);
    args.residual = residual.data();
    args.out = out.data();
    ASSERT_EQ(NormModulate(args), KernelStatus::kOk);
    for (int64_t r = 0; r < rows; ++r) {
      const int64_t c = r / per_condition * width;
      std::vector<double> h(width);
      double squares = 0;
      for (int64_t j = 0; j < width; ++j) {
        h[j] = in.x[r * width + j] + double{in.gate[c + j]} * in.branch[r * width + j];
        squares += h[j] * h[j];
      }
      const double inverse = 1 / std::sqrt(squares / double(width) + 1e-6);
      for (int64_t j = 0; j < width; ++j) {
        const double want = h[j] * inverse * in.weight[j] * (1 + in.scale[c + j]) + in.shift[c + j];
        EXPECT_NEAR(out[r * width + j], want, 3e-6);
        EXPECT_NEAR(residual[r * width + j], h[j], 1e-6);
      }
    }
  }
}

TEST(NormModulateTest, LeavesOutWhatIsNull) {
  const std::vector<float> x = {3, 4};
  std::vector<float> out(2);
  NormModulateArgs args;
  args.x = x.data();
  args.rows = 1;
  args.width = 2;
  args.eps = 0;
  args.out = out.data();
  ASSERT_EQ(NormModulate(args), KernelStatus::kOk);
  EXPECT_NEAR(out[0], 3 / std::sqrt(12.5), 1e-6);
  EXPECT_NEAR(out[1], 4 / std::sqrt(12.5), 1e-6);
}

TEST(NormModulateTest, KeepsAZeroRowFinite) {
  const std::vector<float> x(5);
  std::vector<float> out(5, 9);
  NormModulateArgs args;
  args.x = x.data();
  args.rows = 1;
  args.width = 5;
  args.out = out.data();
  ASSERT_EQ(NormModulate(args), KernelStatus::kOk);
  EXPECT_EQ(out, x);
}

TEST(NormModulateTest, GivesTheSameBitsInPlaceAndWithTwoThreads) {
  const int64_t rows = 16000, width = 40;
  const Inputs in = MakeInputs(rows, width, 3200);
  std::vector<float> residual(rows * width), out(rows * width), in_place = in.x, out2(rows * width);
  NormModulateArgs args = ArgsOf(in, rows, width, 5);
  args.residual = residual.data();
  args.out = out.data();
  ASSERT_EQ(NormModulate(args), KernelStatus::kOk);
  ThreadPool pool(2);
  args.x = in_place.data();
  args.residual = in_place.data();
  args.out = out2.data();
  ASSERT_EQ(NormModulate(args, {.pool = &pool}), KernelStatus::kOk);
  EXPECT_EQ(out, out2);
  EXPECT_EQ(residual, in_place);
}

}  // namespace
}  // namespace gwm::kernels
