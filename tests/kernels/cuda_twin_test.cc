// Each CUDA kernel against its CPU twin. Skipped visibly where there is no device.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <vector>

#include "kernels/edm_step.h"
#include "kernels/head_norm_rope.h"
#include "kernels/nearest.h"
#include "kernels/noise.h"
#include "kernels/norm_modulate.h"
#include "kernels/rope.h"
#include "kernels/slots.h"
#include "tests/kernels/cuda_twin_support.h"
#include "tests/kernels/test_support.h"

namespace gwm::kernels {
namespace {

TEST(CudaWithoutDeviceTest, ALaunchAnswersAnErrorCode) {
  if (HasDevice()) GTEST_SKIP() << "there is a CUDA device";
  float x = 0;
  EXPECT_EQ(LinearCombineCuda(&x, 1, &x, 1, 1, &x, nullptr), KernelStatus::kLaunchFailed);
  EXPECT_EQ(LinearCombineCuda(&x, 1, &x, 1, 0, &x, nullptr), KernelStatus::kOk);
  EXPECT_EQ(LinearCombineCuda(&x, 1, &x, 1, -1, &x, nullptr), KernelStatus::kInvalidArgument);
}

TEST_F(CudaTwinTest, NearestNeighboursAndTheirGradientsHaveTheSameBits) {
  const int64_t n = 700, m = 2500;
  Lcg lcg(3);
  const std::vector<float> queries = UniformFloats(&lcg, n * 3, 0, 1);
  const std::vector<float> targets = UniformFloats(&lcg, m * 3, 0, 1);
  const std::vector<float> weights = UniformFloats(&lcg, n, -1, 1);
  std::vector<float> sqdist(n), grad_queries(n * 3), grad_targets(m * 3);
  std::vector<int64_t> index(n);
  NearestArgs args;
  args.queries = queries.data();
  args.targets = targets.data();
  args.batch = 1;
  args.num_queries = n;
  args.num_targets = m;
  args.sqdist = sqdist.data();
  args.index = index.data();
  ASSERT_EQ(NearestNeighbours(args), KernelStatus::kOk);
  const OnDevice<float> d_queries(queries), d_targets(targets), d_weights(weights);
  const OnDevice<float> d_sqdist(sqdist), d_grad_queries(grad_queries),
      d_grad_targets(grad_targets);
  const OnDevice<int64_t> d_index(index);
  args.queries = d_queries.data();
  args.targets = d_targets.data();
  args.sqdist = d_sqdist.data();
  args.index = d_index.data();
  ASSERT_EQ(NearestNeighboursCuda(args, nullptr), KernelStatus::kOk);
  EXPECT_EQ(d_index.Read(), index);
  EXPECT_EQ(d_sqdist.Read(), sqdist);

  NearestBackwardArgs backward;
  backward.queries = queries.data();
  backward.targets = targets.data();
  backward.index = index.data();
  backward.grad_sqdist = weights.data();
  backward.batch = 1;
  backward.num_queries = n;
  backward.num_targets = m;
  backward.grad_queries = grad_queries.data();
  backward.grad_targets = grad_targets.data();
  ASSERT_EQ(NearestBackward(backward), KernelStatus::kOk);
  backward.queries = d_queries.data();
  backward.targets = d_targets.data();
  backward.index = d_index.data();
  backward.grad_sqdist = d_weights.data();
  backward.grad_queries = d_grad_queries.data();
  backward.grad_targets = d_grad_targets.data();
  ASSERT_EQ(NearestBackwardCuda(backward, nullptr), KernelStatus::kOk);
  EXPECT_EQ(d_grad_queries.Read(), grad_queries);
  EXPECT_EQ(d_grad_targets.Read(), grad_targets);
}

TEST_F(CudaTwinTest, NoiseHasTheSameBits) {
  const std::vector<NoiseStream> streams = {{.seed = 5, .env = 1}, {.seed = 5, .step = 9}};
  for (const uint64_t first : {0, 3, 1001}) {
    const int64_t n = 5003;
    std::vector<float> normal(2 * n), uniform(2 * n);
    for (int row = 0; row < 2; ++row) {
      ASSERT_EQ(NormalNoise(streams[row], first, n, normal.data() + row * n), KernelStatus::kOk);
      ASSERT_EQ(UniformNoise(streams[row], first, n, uniform.data() + row * n), KernelStatus::kOk);
    }
    const OnDevice<NoiseStream> d_streams(streams);
    const OnDevice<float> out(std::vector<float>(2 * n));
    ASSERT_EQ(NormalNoiseCuda(d_streams.data(), 2, first, n, out.data(), nullptr),
              KernelStatus::kOk);
    EXPECT_EQ(out.Read(), normal);
    ASSERT_EQ(UniformNoiseCuda(d_streams.data(), 2, first, n, out.data(), nullptr),
              KernelStatus::kOk);
    EXPECT_EQ(out.Read(), uniform);
  }
}

TEST_F(CudaTwinTest, SamplerStepsHaveTheSameBits) {
  const int64_t n = 10001;
  Lcg lcg(4);
  std::vector<std::vector<float>> in;
  for (int i = 0; i < 4; ++i) in.push_back(UniformFloats(&lcg, n, -3, 3));
  const OnDevice<float> a(in[0]), b(in[1]), c(in[2]), d(in[3]), out(in[0]);
  std::vector<float> want(n);
  ASSERT_EQ(LinearCombine(in[0].data(), .3f, in[1].data(), 2, n, want.data()), KernelStatus::kOk);
  ASSERT_EQ(LinearCombineCuda(a.data(), .3f, b.data(), 2, n, out.data(), nullptr),
            KernelStatus::kOk);
  EXPECT_EQ(out.Read(), want);
  ASSERT_EQ(EulerStep(in[0].data(), in[1].data(), 3, 1, n, want.data()), KernelStatus::kOk);
  ASSERT_EQ(EulerStepCuda(a.data(), b.data(), 3, 1, n, out.data(), nullptr), KernelStatus::kOk);
  EXPECT_EQ(out.Read(), want);
  ASSERT_EQ(HeunStep(in[0].data(), in[1].data(), in[2].data(), in[3].data(), 3, 1, n, want.data()),
            KernelStatus::kOk);
  ASSERT_EQ(HeunStepCuda(a.data(), b.data(), c.data(), d.data(), 3, 1, n, out.data(), nullptr),
            KernelStatus::kOk);
  EXPECT_EQ(out.Read(), want);
}

TEST_F(CudaTwinTest, NormModulateAgreesToRounding) {
  const int64_t rows = 12, width = 390;
  Lcg lcg(6);
  const std::vector<float> x = UniformFloats(&lcg, rows * width, -2, 2);
  const std::vector<float> branch = UniformFloats(&lcg, rows * width, -2, 2);
  const std::vector<float> condition = UniformFloats(&lcg, 3 * width, -1, 1);
  std::vector<float> residual(rows * width), want(rows * width);
  NormModulateArgs args;
  args.x = x.data();
  args.branch = branch.data();
  args.gate = args.scale = args.shift = condition.data();
  args.weight = condition.data();
  args.rows = rows;
  args.width = width;
  args.rows_per_condition = 4;
  args.residual = residual.data();
  args.out = want.data();
  ASSERT_EQ(NormModulate(args), KernelStatus::kOk);
  const OnDevice<float> d_x(x), d_branch(branch), d_condition(condition), d_residual(residual),
      d_out(want);
  args.x = d_x.data();
  args.branch = d_branch.data();
  args.gate = args.scale = args.shift = d_condition.data();
  args.weight = d_condition.data();
  args.residual = d_residual.data();
  args.out = d_out.data();
  ASSERT_EQ(NormModulateCuda(args, nullptr), KernelStatus::kOk);
  EXPECT_EQ(d_residual.Read(), residual);
  EXPECT_LT(Match(d_out.Read(), want, 2e-6, 2e-6).worst_excess, 1);
}

TEST_F(CudaTwinTest, HeadNormRopeAgreesToRounding) {
  const int64_t batch = 2, heads = 3, tokens = 7, table_tokens = 3;
  for (const int64_t dim : {8, 64, 70}) {
    Lcg lcg(static_cast<uint64_t>(dim));
    const int64_t stride = heads * dim + 5;
    const std::vector<float> x = UniformFloats(&lcg, batch * tokens * stride, -2, 2);
    const std::vector<float> weight = UniformFloats(&lcg, dim, .5f, 1.5f);
    const std::vector<float> cos = UniformFloats(&lcg, batch * table_tokens * dim / 2, -1, 1);
    const std::vector<float> sin = UniformFloats(&lcg, batch * table_tokens * dim / 2, -1, 1);
    std::vector<float> want(batch * heads * tokens * dim);
    HeadNormRopeArgs args = {.x = x.data(), .weight = weight.data(), .cos = cos.data()};
    args.sin = sin.data();
    args.batch = batch;
    args.heads = heads;
    args.tokens = tokens;
    args.table_tokens = table_tokens;
    args.head_dim = dim;
    args.row_stride = stride;
    args.out = want.data();
    ASSERT_EQ(HeadNormRope(args), KernelStatus::kOk);
    const OnDevice<float> d_x(x), d_weight(weight), d_cos(cos), d_sin(sin);
    const OnDevice<float> out(std::vector<float>(want.size(), NAN));
    args.x = d_x.data();
    args.weight = d_weight.data();
    args.cos = d_cos.data();
    args.sin = d_sin.data();
    args.out = out.data();
    ASSERT_EQ(HeadNormRopeCuda(args, nullptr), KernelStatus::kOk);
    EXPECT_LT(Match(out.Read(), want, 3e-6, 3e-6).worst_excess, 1) << dim;
  }
}

TEST_F(CudaTwinTest, RopeAgreesToRounding) {
  const int64_t batch = 2, heads = 3, tokens = 7, bands = 8;
  Lcg lcg(7);
  const std::vector<float> x = UniformFloats(&lcg, batch * heads * tokens * 2 * bands, -1, 1);
  const std::vector<float> positions = UniformFloats(&lcg, batch * tokens, -100, 100);
  std::vector<float> frequencies(bands), cos(batch * tokens * bands), sin(cos), want(x);
  RopeFrequencies(1e4, 2 * bands, frequencies.data());
  RopeTableArgs table;
  table.positions = positions.data();
  table.frequencies = frequencies.data();
  table.rows = batch * tokens;
  table.bands = bands;
  table.cos = cos.data();
  table.sin = sin.data();
  ASSERT_EQ(RopeTable(table), KernelStatus::kOk);
  const OnDevice<float> d_positions(positions), d_frequencies(frequencies);
  const OnDevice<float> d_cos{std::vector<float>(cos.size())},
      d_sin{std::vector<float>(cos.size())};
  table.positions = d_positions.data();
  table.frequencies = d_frequencies.data();
  table.cos = d_cos.data();
  table.sin = d_sin.data();
  ASSERT_EQ(RopeTableCuda(table, nullptr), KernelStatus::kOk);
  EXPECT_LT(Match(d_cos.Read(), cos, 1e-6, 0).worst_excess, 1);
  for (const RopeLayout layout : {RopeLayout::kHalfSplit, RopeLayout::kInterleaved}) {
    RopeApplyArgs args = {x.data(), cos.data(), sin.data(), batch,      heads,
                          tokens,   2 * bands,  layout,     want.data()};
    ASSERT_EQ(RopeApply(args), KernelStatus::kOk);
    const OnDevice<float> d_x(x), d_out(x);
    args.x = d_x.data();
    args.cos = d_cos.data();
    args.sin = d_sin.data();
    args.out = d_out.data();
    ASSERT_EQ(RopeApplyCuda(args, nullptr), KernelStatus::kOk);
    EXPECT_LT(Match(d_out.Read(), want, 3e-6, 0).worst_excess, 1);
  }
}

TEST_F(CudaTwinTest, SlotsMoveTheSameBytes) {
  for (const int64_t row_bytes : {16, 48, 7}) {
    std::vector<uint8_t> pool(6 * row_bytes), batch(4 * row_bytes);
    for (size_t i = 0; i < pool.size(); ++i) pool[i] = static_cast<uint8_t>(i * 7 + 1);
    const std::vector<int64_t> slots = {5, -1, 0, 6};
    SlotArgs args = {slots.data(), 4, 6, row_bytes};
    const OnDevice<uint8_t> d_pool(pool), d_batch(batch);
    const OnDevice<int64_t> d_slots(slots);
    SlotArgs d_args = args;
    d_args.slots = d_slots.data();
    ASSERT_EQ(GatherSlots(args, pool.data(), batch.data()), KernelStatus::kOk);
    ASSERT_EQ(GatherSlotsCuda(d_args, d_pool.data(), d_batch.data(), nullptr), KernelStatus::kOk);
    EXPECT_EQ(d_batch.Read(), batch);
    for (uint8_t& byte : batch) byte = static_cast<uint8_t>(byte + 3);
    const OnDevice<uint8_t> d_changed(batch);
    ASSERT_EQ(ScatterSlots(args, batch.data(), pool.data()), KernelStatus::kOk);
    ASSERT_EQ(ScatterSlotsCuda(d_args, d_changed.data(), d_pool.data(), nullptr),
              KernelStatus::kOk);
    EXPECT_EQ(d_pool.Read(), pool);
  }
}

}  // namespace
}  // namespace gwm::kernels
