// DrQ-v2's networks: sizes and initial weights. Their numbers are golden cases (tests/golden).
#include "clients/rl/drqv2.h"
#include "clients/rl/drqv2_networks.h"
#include "clients/rl/layers.h"
#include "tests/clients/rl/test_support.h"

namespace gwm::rl {
namespace {

TEST(DrQv2NetworksTest, HaveThePublishedParameterCounts) {
  const auto agent = DrQv2::Create({.observation_shape = {9, 64, 64}, .action_dim = 4});
  ASSERT_TRUE(agent.ok()) << agent.status();
  EXPECT_EQ((*agent)->encoder_parameters(), 30368);
  EXPECT_EQ((*agent)->actor_parameters(), 2106074);
  EXPECT_EQ((*agent)->critic_parameters(), 3214040);
}

TEST(DrQv2NetworksTest, VectorsHaveNoEncoder) {
  const auto agent = DrQv2::Create({.observation = ObservationKind::kVector,
                                    .observation_shape = {6},
                                    .action_dim = 2,
                                    .trunk_width = 8,
                                    .hidden_width = 16});
  ASSERT_TRUE(agent.ok()) << agent.status();
  EXPECT_EQ((*agent)->encoder_parameters(), 0);
  EXPECT_EQ((*agent)->actor_parameters(), (6 * 8 + 8) + 16 + (8 * 16 + 16) + (16 * 16 + 16) + 34);
}

TEST(PixelEncoderTest, CountsItsFeatures) {
  EXPECT_EQ(PixelEncoderImpl::FeatureCount(64, 64), 20000);
  EXPECT_EQ(PixelEncoderImpl::FeatureCount(84, 84), 39200);
  EXPECT_EQ(PixelEncoderImpl::FeatureCount(15, 15), 32);
  EXPECT_EQ(PixelEncoderImpl::FeatureCount(14, 64), 0);
  PixelEncoder encoder(3);
  EXPECT_EQ(encoder->forward(torch::zeros({2, 3, 16, 16}, torch::kUInt8)).size(1),
            PixelEncoderImpl::FeatureCount(16, 16));
}

TEST(InitOrthogonalTest, RowsOrColumnsAreAtRightAngles) {
  Linear wide(12, 5), tall(5, 12);
  Conv3x3 conv(4, 8, 1);
  const CounterRandom random(1);
  InitOrthogonal(*wide, random, 0);
  InitOrthogonal(*tall, random, 1);
  InitOrthogonal(*conv, random, 2);
  EXPECT_TRUE(torch::allclose(wide->weight.mm(wide->weight.t()), torch::eye(5), 1e-5, 1e-5));
  EXPECT_TRUE(torch::allclose(tall->weight.t().mm(tall->weight), torch::eye(5), 1e-5, 1e-5));
  const torch::Tensor flat = conv->weight.flatten(1);
  EXPECT_TRUE(torch::allclose(flat.mm(flat.t()), 2 * torch::eye(8), 1e-5, 1e-5));
  EXPECT_EQ(wide->bias.abs().max().item<float>(), 0);
}

TEST(MoveTowardsTest, MovesByTheRateAndCopiesAtOne) {
  Linear target(2, 2), online(2, 2);
  InitUniform(*online, CounterRandom(1), 0);
  MoveTowards(*target, *online, 0.25);
  EXPECT_TRUE(torch::allclose(target->weight, 0.25 * online->weight));
  MoveTowards(*target, *online, 1);
  EXPECT_TRUE(SameBits(target->bias, online->bias));
}

TEST(InitUniformTest, StaysWithinTheBoundOfItsLayer) {
  torch::nn::Sequential layers = MakeMlp({16, 100, 1});
  InitUniform(*layers, CounterRandom(1), 0);
  const std::vector<torch::Tensor> parameters = layers->parameters();
  for (const size_t first_layer : {0, 1}) {
    EXPECT_LE(parameters[first_layer].abs().max().item<float>(), 0.25);
    EXPECT_GT(parameters[first_layer].abs().max().item<float>(), 0.2);
  }
  for (const size_t second_layer : {2, 3}) {
    EXPECT_LE(parameters[second_layer].abs().max().item<float>(), 0.1);
  }
}

}  // namespace
}  // namespace gwm::rl
