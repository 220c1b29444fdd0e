#include "server/work/feature_pool.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace gwm::server {
namespace {

using ::testing::ElementsAre;
using ::testing::FloatNear;
using ::testing::Pointwise;

HostTensor Tensor(std::vector<int64_t> shape, const std::vector<float>& values) {
  return HostTensor::From<float>(std::move(shape), std::span<const float>(values));
}

std::vector<float> Pooled(const HostTensor& tokens, FeaturePooling pooling) {
  const auto pooled = PoolTokens(tokens, pooling);
  EXPECT_TRUE(pooled.ok()) << pooled.status();
  const auto values = pooled->values<float>();
  return {values.begin(), values.end()};
}

std::vector<uint16_t> Bits(const std::vector<float>& values, DType dtype) {
  const HostTensor rounded = RoundTo(Tensor({static_cast<int64_t>(values.size())}, values), dtype);
  const auto bits = rounded.values<uint16_t>();
  return {bits.begin(), bits.end()};
}

TEST(FeaturePool, QueriesAreTheTopBitsOfSplitMix64) {
  // Outputs of the reference implementation: 0xe220... of state 0, 0x910a... of 1, 0x9758... of 2,
  // 0x1d0b... of 3.
  EXPECT_EQ(QueryEntry(0, 0), 1.0F);
  EXPECT_EQ(QueryEntry(0, 1), 1.0F);
  EXPECT_EQ(QueryEntry(0, 2), 1.0F);
  EXPECT_EQ(QueryEntry(0, 3), -1.0F);
  int positive = 0;
  for (int64_t i = 0; i < kAttentionQueries; ++i) {
    for (int64_t j = 0; j < 384; ++j) positive += QueryEntry(i, j) > 0 ? 1 : 0;
  }
  EXPECT_NEAR(positive, 8 * 384 / 2, 3 * 28);  // three standard deviations of a fair coin
}

TEST(FeaturePool, TheMeanIsTakenOverTokens) {
  EXPECT_THAT(Pooled(Tensor({2, 3}, {1, 2, 3, 3, 6, -3}), FeaturePooling::kMean),
              ElementsAre(2, 4, 0));
}

TEST(FeaturePool, AllTokensStayAsTheyAre) {
  const HostTensor tokens = Tensor({2, 2}, {1, 2, 3, 4});
  EXPECT_EQ(PoolTokens(tokens, FeaturePooling::kTokens)->data, tokens.data);
}

TEST(FeaturePool, AttentionWeighsTokensByTheirLikenessToEachQuery) {
  constexpr int64_t kWidth = 16;
  // The first token points along query 0, the second one against it.
  std::vector<float> values;
  for (int64_t j = 0; j < kWidth; ++j) values.push_back(QueryEntry(0, j));
  for (int64_t j = 0; j < kWidth; ++j) values.push_back(-QueryEntry(0, j));
  const std::vector<float> pooled = Pooled(Tensor({2, kWidth}, values), FeaturePooling::kAttention);
  ASSERT_EQ(pooled.size(), 8U * kWidth);
  double mean = 0;
  for (int64_t j = 0; j < kWidth; ++j) mean += static_cast<double>(QueryEntry(0, j)) / kWidth;
  const double key_scale = 1 / std::sqrt(1 - mean * mean + 1e-6);
  const double logit = kWidth * (1 - mean * mean) * key_scale / std::sqrt(kWidth);
  const double weight = 1 / (1 + std::exp(-2 * logit));
  EXPECT_NEAR(pooled[0], QueryEntry(0, 0) * (2 * weight - 1), 1e-6);
}

TEST(FeaturePool, AttentionOverEqualTokensGivesTheToken) {
  const std::vector<float> one{0.5F, -2, 3, 1e4F};
  std::vector<float> three;
  for (int i = 0; i < 3; ++i) three.insert(three.end(), one.begin(), one.end());
  std::vector<float> eight;
  for (int i = 0; i < 8; ++i) eight.insert(eight.end(), one.begin(), one.end());
  EXPECT_THAT(Pooled(Tensor({3, 4}, three), FeaturePooling::kAttention),
              Pointwise(FloatNear(1e-3F), eight));
}

TEST(FeaturePool, RefusesWhatIsNoSetOfTokens) {
  EXPECT_EQ(PoolTokens(Tensor({3}, {1, 2, 3}), FeaturePooling::kMean).status().code(),
            absl::StatusCode::kInternal);
  EXPECT_FALSE(PoolTokens(Tensor({0, 3}, {}), FeaturePooling::kMean).ok());
}

TEST(FeaturePool, RoundsToHalvesToNearestTiesToEven) {
  EXPECT_THAT(Bits({0, -0.0F, 1, -2, 0.2F, 65504}, DType::kF16),
              ElementsAre(0, 0x8000, 0x3c00, 0xc000, 0x3266, 0x7bff));
  // Halfway between two neighbours of 1.
  EXPECT_THAT(Bits({1 + 0x1p-11F, 1 + 3 * 0x1p-11F}, DType::kF16), ElementsAre(0x3c00, 0x3c02));
  // Below the smallest normal number, where the steps are 2^-24.
  EXPECT_THAT(Bits({0x1p-14F, 0x1p-24F, 0x1p-25F, 3 * 0x1p-25F, 0x1p-14F - 0x1p-26F}, DType::kF16),
              ElementsAre(0x0400, 1, 0, 2, 0x0400));
}

TEST(FeaturePool, HalvesEndAt65504) {
  EXPECT_THAT(Bits({65519, 65520, 1e9F, -1e9F}, DType::kF16),
              ElementsAre(0x7bff, 0x7bff, 0x7bff, 0xfbff));
  EXPECT_THAT(Bits({std::numeric_limits<float>::infinity()}, DType::kF16), ElementsAre(0x7bff));
  EXPECT_EQ(Bits({std::nanf("")}, DType::kF16)[0] & 0x7e00, 0x7e00);
}

TEST(FeaturePool, RoundsToBrainFloatsToNearestTiesToEven) {
  EXPECT_THAT(Bits({1, -2, 1 + 0x1p-8F, 1 + 3 * 0x1p-8F, 1e30F}, DType::kBF16),
              ElementsAre(0x3f80, 0xc000, 0x3f80, 0x3f82, 0x7149 + 1));
  EXPECT_EQ(Bits({std::nanf("")}, DType::kBF16)[0] & 0x7fc0, 0x7fc0);
}

}  // namespace
}  // namespace gwm::server
