#include "kernels/head_norm_rope.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "kernels/parallel.h"
#include "tests/kernels/test_support.h"

namespace gwm::kernels {
namespace {

// Two batches whose tokens are slices of rows with 5 floats to spare.
struct Heads {
  int64_t heads = 3, tokens, table_tokens, dim;
  int64_t stride = heads * dim + 5;
  std::vector<float> x, weight, cos, sin;

  Heads(int64_t tokens, int64_t table_tokens, int64_t dim)
      : tokens(tokens), table_tokens(table_tokens), dim(dim) {
    Lcg lcg(static_cast<uint64_t>(tokens * 100 + dim));
    x = UniformFloats(&lcg, 2 * tokens * stride, -2, 2);
    weight = UniformFloats(&lcg, dim, .5, 1.5);
    for (const float angle : UniformFloats(&lcg, 2 * table_tokens * dim / 2, -3, 3)) {
      cos.push_back(std::cos(angle));
      sin.push_back(std::sin(angle));
    }
  }
  HeadNormRopeArgs Args(std::vector<float>* out) const {
    out->assign(2 * heads * tokens * dim, -7.0f);
    return {.x = x.data(),
            .weight = weight.data(),
            .cos = cos.data(),
            .sin = sin.data(),
            .batch = 2,
            .heads = heads,
            .tokens = tokens,
            .table_tokens = table_tokens,
            .head_dim = dim,
            .row_stride = stride,
            .out = out->data()};
  }
  // The formula in double.
  std::vector<double> Want() const {
    std::vector<double> want(2 * heads * tokens * dim);
    for (int64_t row = 0; row < 2 * heads * tokens; ++row) {
      const int64_t t = row % tokens, head = row / tokens % heads, b = row / tokens / heads;
      const float* h = x.data() + (b * tokens + t) * stride + head * dim;
      double squares = 0;
      for (int64_t j = 0; j < dim; ++j) squares += double{h[j]} * h[j];
      const double inverse = 1 / std::sqrt(squares / double(dim) + 1e-6);
      for (int64_t i = 0; i < dim / 2; ++i) {
        const int64_t table = (b * table_tokens + t % table_tokens) * dim / 2 + i;
        const double u = h[i] * inverse * weight[i];
        const double v = h[i + dim / 2] * inverse * weight[i + dim / 2];
        want[row * dim + i] = u * cos[table] - v * sin[table];
        want[row * dim + i + dim / 2] = v * cos[table] + u * sin[table];
      }
    }
    return want;
  }
};

TEST(HeadNormRopeTest, EqualsTheFormulaInDoubleForRaggedSizes) {
  for (const int64_t dim : {2, 10, 32, 34, 64}) {
    const Heads heads(6, 3, dim);
    std::vector<float> out;
    const HeadNormRopeArgs args = heads.Args(&out);
    ASSERT_EQ(HeadNormRope(args), KernelStatus::kOk);
    EXPECT_LT(Match(out, heads.Want(), 2e-6, 2e-6).worst_excess, 1) << dim;
  }
}

TEST(HeadNormRopeTest, HasTheSameBitsAtEveryLevelAndThreadCount) {
  const Heads heads(70, 70, 34);
  std::vector<float> plain, out;
  ASSERT_EQ(HeadNormRope(heads.Args(&plain), {.simd = SimdLevel::kScalar}), KernelStatus::kOk);
  ThreadPool pool(2);
  for (const SimdLevel level : SupportedSimdLevels()) {
    for (ThreadPool* threads : {static_cast<ThreadPool*>(nullptr), &pool}) {
      ASSERT_EQ(HeadNormRope(heads.Args(&out), {.simd = level, .pool = threads}),
                KernelStatus::kOk);
      EXPECT_EQ(out, plain) << SimdLevelName(level);
    }
  }
}

TEST(HeadNormRopeTest, RefusesSizesThatDoNotFit) {
  const Heads heads(2, 2, 4);
  std::vector<float> out;
  for (const auto& spoil :
       std::vector<void (*)(HeadNormRopeArgs*)>{[](HeadNormRopeArgs* a) { a->head_dim = 3; },
                                                [](HeadNormRopeArgs* a) { a->head_dim = 0; },
                                                [](HeadNormRopeArgs* a) { a->row_stride = 11; },
                                                [](HeadNormRopeArgs* a) { a->table_tokens = 0; },
                                                [](HeadNormRopeArgs* a) { a->tokens = -1; }}) {
    HeadNormRopeArgs args = heads.Args(&out);
    spoil(&args);
    EXPECT_EQ(HeadNormRope(args), KernelStatus::kInvalidArgument);
  }
}

}  // namespace
}  // namespace gwm::kernels
