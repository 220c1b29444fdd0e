#include "clients/policies/bc_transformer.h"
#include "clients/policies/conditional_unet1d.h"
#include "clients/policies/transformer_for_diffusion.h"
#include "tests/clients/policies/test_support.h"

namespace gwm::policies {
namespace {

TEST(DrawWeightsTest, SameSeedGivesTheSameNetworkAndAnotherSeedAnother) {
  const auto draw = [](uint64_t seed) {
    ConditionalUnet1d unet(2, 6, UnetOptions{.widths = {8, 16}, .kernel = 3, .time_width = 8});
    DrawWeights(*unet, CounterRandom(seed));
    return unet(Normals(1, {1, 4, 2}), torch::ones({1}), Normals(2, {1, 6}));
  };
  EXPECT_TRUE(SameBits(draw(1), draw(1)));
  EXPECT_FALSE(SameBits(draw(1), draw(2)));
}

TEST(DrawWeightsTest, NoTwoLayersStartWithTheSameWeights) {
  TransformerForDiffusion network(2, 4, 3, 2,
                                  TransformerOptions{.layers = 2, .heads = 2, .width = 8});
  DrawWeights(*network, CounterRandom(3));
  const auto weights = network->named_parameters();
  EXPECT_FALSE(torch::equal(weights["decoder.layers.0.linear1.weight"],
                            weights["decoder.layers.1.linear1.weight"]));
  EXPECT_FALSE(torch::equal(weights["decoder.layers.0.self_attn.out_proj.weight"],
                            weights["decoder.layers.0.multihead_attn.out_proj.weight"]));
  EXPECT_GT(weights["pos_emb"].abs().sum().item<double>(), 0);
}

// Does entry `to` of the output change with entry `from` of the input?
torch::Tensor Reach(const torch::Tensor& input, const torch::Tensor& output) {
  torch::Tensor reach = torch::zeros({output.size(1), input.size(1)}, torch::kBool);
  for (int64_t to = 0; to < output.size(1); ++to) {
    const torch::Tensor gradient = torch::autograd::grad({output.select(1, to).sum()}, {input}, {},
                                                         /*retain_graph=*/true)[0];
    reach[to] = gradient.abs().sum(at::IntArrayRef{0, 2}) > 0;
  }
  return reach;
}

TEST(TransformerForDiffusionTest, CausalActionsSeeThePastAlone) {
  TransformerForDiffusion network(2, 4, 3, 3,
                                  TransformerOptions{.layers = 2, .heads = 2, .width = 8});
  DrawWeights(*network, CounterRandom(3));
  const torch::Tensor sample = Normals(1, {1, 4, 2}).requires_grad_();
  const torch::Tensor observation = Normals(2, {1, 3, 3}).requires_grad_();
  const torch::Tensor out = network->Predict(sample, torch::ones({1}), observation);
  EXPECT_TRUE(torch::equal(Reach(sample, out), torch::ones({4, 4}, torch::kBool).tril()));
  EXPECT_TRUE(torch::equal(Reach(observation, out), torch::ones({4, 3}, torch::kBool).tril()));
}

TEST(TransformerForDiffusionTest, WithoutTheMaskActionsSeeEverything) {
  TransformerForDiffusion network(
      2, 4, 3, 3, TransformerOptions{.layers = 1, .heads = 2, .width = 8, .causal = false});
  DrawWeights(*network, CounterRandom(3));
  const torch::Tensor sample = Normals(1, {1, 4, 2}).requires_grad_();
  const torch::Tensor out = network->Predict(sample, torch::ones({1}), Normals(2, {1, 3, 3}));
  EXPECT_TRUE(Reach(sample, out).all().item<bool>());
}

TEST(BcTransformerTest, EveryActionSeesEveryObservationAlsoBeyondTheHistory) {
  const ChunkSpec spec{.observation_steps = 2, .observation_dim = 3, .horizon = 5, .action_dim = 2};
  BcTransformer network(spec, 4, BcTransformerShape{.layers = 1, .heads = 2, .width = 8});
  DrawWeights(*network, CounterRandom(3));
  const torch::Tensor observation = Normals(1, {1, 2, 3}).requires_grad_();
  const torch::Tensor out = network(observation);
  EXPECT_EQ(out.sizes(), at::IntArrayRef({1, 5, 4}));
  EXPECT_TRUE(Reach(observation, out).all().item<bool>());
}

TEST(BcTransformerTest, ChunksMayBeShorterThanTheHistory) {
  const ChunkSpec spec{.observation_steps = 5, .observation_dim = 3, .horizon = 2, .action_dim = 2};
  BcTransformer network(spec, 4, BcTransformerShape{.layers = 1, .heads = 2, .width = 8});
  EXPECT_EQ(network(Normals(1, {3, 5, 3})).sizes(), at::IntArrayRef({3, 2, 4}));
}

TEST(MeanOverValidTest, PaddingCountsForNothing) {
  const torch::Tensor error = torch::tensor({1.0f, 3.0f, 100.0f, 5.0f}).reshape({1, 4, 1});
  const torch::Tensor valid = torch::tensor({1.0f, 1.0f, 0.0f, 1.0f}).reshape({1, 4});
  EXPECT_FLOAT_EQ(MeanOverValid(error, valid).item<float>(), 3);
  EXPECT_FLOAT_EQ(MeanOverValid(error, {}).item<float>(), 109.0f / 4);
  EXPECT_FLOAT_EQ(MeanOverValid(error, torch::zeros({1, 4})).item<float>(), 0);
}

}  // namespace
}  // namespace gwm::policies
