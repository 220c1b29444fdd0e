#include "engine/model/fused.h"

#include <gtest/gtest.h>
#include <torch/cuda.h>

#include "tests/engine/model/model_builders.h"

namespace gwm {
namespace {

using testing::Normals;

// With gradients the plain formulas run, without them the kernels.
double Distance(const torch::Tensor& a, const torch::Tensor& b) {
  EXPECT_EQ(a.sizes(), b.sizes());
  return (a.detach() - b).abs().max().item<double>();
}

TEST(FusedTest, NormModulatedIsTheSameWithAndWithoutGradients) {
  Normals normal(1);
  const auto x = normal({2, 5, 34}), weight = normal({34});
  // Slices of a wider projection, as a block cuts its modulations.
  const auto m = normal({2, 68}).chunk(2, -1);
  for (const Modulation& modulation : {Modulation{}, Modulation{m[0], m[1]}}) {
    const auto plain = NormModulated(x, weight, modulation);
    torch::NoGradGuard no_grad;
    EXPECT_LT(Distance(plain, NormModulated(x, weight, modulation)), 2e-6);
    EXPECT_LT(Distance(plain, NormModulated(x.transpose(0, 1).contiguous().transpose(0, 1), weight,
                                            modulation)),
              2e-6);
  }
}

TEST(FusedTest, AddAndNormIsTheSameWithAndWithoutGradients) {
  Normals normal(2);
  const auto x = normal({2, 5, 34}), branch = normal({2, 5, 34}), weight = normal({34});
  const auto m = normal({2, 102}).chunk(3, -1);
  for (const torch::Tensor& gate : {torch::Tensor(), m[2]}) {
    const Added plain = AddAndNorm(x, branch, gate, weight, {m[0], m[1]});
    torch::NoGradGuard no_grad;
    const Added fused = AddAndNorm(x, branch, gate, weight, {m[0], m[1]});
    EXPECT_LT(Distance(plain.sum, fused.sum), 1e-6);
    EXPECT_LT(Distance(plain.normed, fused.normed), 2e-6);
  }
}

TEST(FusedTest, RotatedHeadsAreTheSameWithAndWithoutGradients) {
  Normals normal(3);
  const auto weight = normal({12});
  const Rope rope = MakeRope(normal({2, 7, 3}), 12, 100.0, DealtAxes(12, 3));
  const auto qkv = normal({2, 14, 108}).chunk(3, -1);  // two frames of 7 tokens, 3 heads
  for (const auto& x : qkv) {
    const auto plain = RotatedHeads(x, 3, weight, rope);
    torch::NoGradGuard no_grad;
    EXPECT_LT(Distance(plain, RotatedHeads(x, 3, weight, rope)), 2e-6);
    EXPECT_LT(Distance(plain, RotatedHeads(x.transpose(0, 1).contiguous().transpose(0, 1), 3,
                                           weight, rope)),
              2e-6);
  }
}

TEST(FusedTest, TheDenoiserIsTheSameWithAndWithoutGradients) {
  const auto model = testing::ShakenModel("grid");
  const auto condition = testing::RandomCondition(model->config, 3, 7);
  const auto scaled = Normals(8)({3, 32, 16});
  const auto c_noise = torch::tensor({0.4F, -0.2F, 0.1F});
  const auto predict = [&] {
    return model->dynamics->forward(scaled, c_noise, model->dynamics->Prepare(condition))
        .prediction;
  };
  const auto plain = predict();
  ASSERT_TRUE(plain.requires_grad());
  torch::NoGradGuard no_grad;
  EXPECT_LT(Distance(plain, predict()), 5e-5);
}

TEST(FusedTest, IsTheSameOnAGpu) {
  if (!torch::cuda::is_available()) GTEST_SKIP() << "no CUDA device";
  torch::NoGradGuard no_grad;
  Normals normal(4);
  const auto x = normal({2, 14, 36}), branch = normal({2, 14, 36}), weight = normal({36});
  const auto gain = normal({12});
  const auto m = normal({2, 108}).chunk(3, -1);
  const Rope rope = MakeRope(normal({2, 7, 3}), 12, 100.0, DealtAxes(12, 3));
  const auto on = [](const torch::Tensor& t) { return t.to(torch::kCUDA); };
  const Added want = AddAndNorm(x, branch, m[2], weight, {m[0], m[1]});
  const Added got = AddAndNorm(on(x), on(branch), on(m[2]), on(weight), {on(m[0]), on(m[1])});
  EXPECT_LT(Distance(want.sum, got.sum.cpu()), 1e-6);
  EXPECT_LT(Distance(want.normed, got.normed.cpu()), 2e-6);
  EXPECT_LT(Distance(RotatedHeads(x, 3, gain, rope),
                     RotatedHeads(on(x), 3, on(gain), {on(rope.cos), on(rope.sin)}).cpu()),
            2e-6);
}

}  // namespace
}  // namespace gwm
