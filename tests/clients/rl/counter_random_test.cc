#include "clients/rl/counter_random.h"

#include "tests/clients/rl/test_support.h"

namespace gwm::rl {
namespace {

// Known answers of the Random123 library (kat_vectors, philox4x32 with 10 rounds).
TEST(PhiloxTest, GivesThePublishedBits) {
  const std::array<uint32_t, 4> zeros = {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8};
  EXPECT_EQ(Philox({0, 0, 0, 0}, {0, 0}), zeros);
  const uint32_t all = 0xffffffff;
  const std::array<uint32_t, 4> ones = {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd};
  EXPECT_EQ(Philox({all, all, all, all}, {all, all}), ones);
}

TEST(CounterRandomTest, IsAFunctionOfSeedStreamAndCounter) {
  const CounterRandom random(5), other_seed(6);
  const torch::Tensor first = random.Normal(RandomStream::kShift, 3, {7});
  random.Normal(RandomStream::kShift, 4, {100});
  EXPECT_TRUE(SameBits(random.Normal(RandomStream::kShift, 3, {7}), first));
  EXPECT_FALSE(SameBits(random.Normal(RandomStream::kShift, 4, {7}), first));
  EXPECT_FALSE(SameBits(random.Normal(RandomStream::kReplay, 3, {7}), first));
  EXPECT_FALSE(SameBits(other_seed.Normal(RandomStream::kShift, 3, {7}), first));
}

TEST(CounterRandomTest, LongerDrawsBeginWithTheShorterOnes) {
  const CounterRandom random(5);
  const torch::Tensor ten = random.Normal(RandomStream::kShift, 0, {10});
  EXPECT_TRUE(SameBits(random.Normal(RandomStream::kShift, 0, {7}), ten.slice(0, 0, 7)));
}

TEST(CounterRandomTest, NormalsHaveTheMomentsOfTheNormal) {
  const torch::Tensor draws = CounterRandom(1).Normal(RandomStream::kReplay, 0, {100000});
  EXPECT_NEAR(draws.mean().item<double>(), 0, 0.015);
  EXPECT_NEAR(draws.square().mean().item<double>(), 1, 0.02);
  EXPECT_NEAR(draws.pow(4).mean().item<double>(), 3, 0.15);
}

TEST(CounterRandomTest, UniformsStayBelowOneAndIntegersBelowTheirBound) {
  const CounterRandom random(2);
  const torch::Tensor uniform = random.Uniform(RandomStream::kReplay, 0, {100000});
  EXPECT_GE(uniform.min().item<float>(), 0);
  EXPECT_LT(uniform.max().item<float>(), 1);
  EXPECT_NEAR(uniform.mean().item<double>(), 0.5, 0.005);
  const torch::Tensor counts =
      random.Integers(RandomStream::kReplay, 1, 5, {10000}).bincount({}, 5);
  EXPECT_EQ(counts.size(0), 5);
  EXPECT_GT(counts.min().item<int64_t>(), 1800);
}

TEST(CounterRandomTest, APermutationHoldsEveryNumberOnce) {
  const torch::Tensor order = CounterRandom(3).Permutation(RandomStream::kReplay, 0, 100);
  EXPECT_TRUE(SameBits(std::get<0>(order.sort()), torch::arange(100)));
  EXPECT_FALSE(SameBits(order, torch::arange(100)));
}

}  // namespace
}  // namespace gwm::rl
