// What the golden cases leave open about engine/model/released: errors of the loader, published
// constants, the wrap.
#include <gtest/gtest.h>

#include <cmath>

#include "engine/model/released/sampler.h"
#include "engine/model/released/state_dict.h"

namespace gwm::released {
namespace {

DitOptions TinyDit() {
  return {.input_size = 8,
          .patch_size = 4,
          .in_channels = 6,
          .context_length = 2,
          .hidden_size = 8,
          .depth = 1,
          .num_heads = 2,
          .action_dim = 3};
}

std::map<std::string, torch::Tensor> StateOf(const torch::nn::Module& module) {
  std::map<std::string, torch::Tensor> state;
  for (const auto& item : module.named_parameters()) {
    state[item.key()] = torch::full_like(item.value(), 0.5);
  }
  return state;
}

TEST(LoadStateDictTest, CopiesEveryTensorByName) {
  Dit dit(TinyDit());
  ASSERT_TRUE(LoadStateDict(StateOf(*dit), *dit).ok());
  for (const torch::Tensor& parameter : dit->parameters()) {
    EXPECT_TRUE(parameter.eq(0.5).all().item<bool>());
  }
}

TEST(LoadStateDictTest, NamesAMissingTensorAndCopiesNothing) {
  Dit dit(TinyDit());
  auto state = StateOf(*dit);
  state.erase("t_embedder.mlp.2.bias");
  const torch::Tensor before = dit->pos_embed.clone();
  const absl::Status status = LoadStateDict(state, *dit);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(status.message().find("t_embedder.mlp.2.bias"), absl::string_view::npos) << status;
  EXPECT_TRUE(torch::equal(before, dit->pos_embed));
}

TEST(LoadStateDictTest, NamesAnUnknownTensor) {
  Dit dit(TinyDit());
  auto state = StateOf(*dit);
  state["blocks.7.attn.qkv.weight"] = torch::zeros({1});
  EXPECT_NE(LoadStateDict(state, *dit).message().find("blocks.7.attn.qkv.weight"),
            absl::string_view::npos);
}

TEST(LoadStateDictTest, NamesATensorOfAnotherShapeWithBothShapes) {
  Dit dit(TinyDit());
  auto state = StateOf(*dit);
  state["final_layer.linear.bias"] = torch::zeros({5});
  const std::string message(LoadStateDict(state, *dit).message());
  EXPECT_NE(message.find("final_layer.linear.bias"), std::string::npos) << message;
  EXPECT_NE(message.find("[5]"), std::string::npos) << message;
  EXPECT_NE(message.find("[32]"), std::string::npos) << message;
}

TEST(DitTest, RefusesOptionsThatContradictEachOther) {
  DitOptions options = TinyDit();
  options.in_channels = 7;
  EXPECT_THROW(Dit{options}, c10::Error);
  options = TinyDit();
  options.input_size = 10;
  EXPECT_THROW(Dit{options}, c10::Error);
}

TEST(DitTest, StartsFromZeroOutputAndDoesNotTrainItsTable) {
  Dit dit(TinyDit());
  const torch::Tensor y =
      dit->forward(torch::ones({2, 2, 8, 8}), torch::zeros({2}), torch::zeros({2}),
                   torch::ones({2, 4, 8, 8}), torch::ones({2, 1, 3}));
  EXPECT_TRUE(y.eq(0).all().item<bool>());
  EXPECT_FALSE(dit->pos_embed.requires_grad());
  EXPECT_EQ(CountParameters(*dit).total - CountParameters(*dit).trainable, 4 * 8);
}

// The published schedules (without the trailing 0), in f32.
TEST(KarrasScheduleTest, MatchesThePublishedNumbers) {
  const torch::Tensor released = KarrasSchedule({});
  const double expected[] = {20, 4.862226184, 0.8247096109, 0.0761427139, 0.002, 0};
  ASSERT_EQ(released.numel(), 6);
  for (int i = 0; i < 6; ++i) {
    EXPECT_NEAR(released[i].item<double>(), expected[i], 2e-4 * expected[i]) << i;
  }
  const torch::Tensor diamond = KarrasSchedule({.steps = 3, .sigma_max = 5});
  EXPECT_NEAR(diamond[1].item<double>(), 0.2830819112, 6e-5);
}

TEST(WrapOutputTest, TruncatesInsteadOfRounding) {
  // 255 (d + 1) / 2 = 130.9 for the first value: rounding would give 131.
  const double value = 130.9 * 2 / 255 - 1;
  const torch::Tensor wrapped =
      WrapOutput(torch::tensor({value, 3.0, -3.0}), OutputWrap::kQuantized);
  EXPECT_NEAR(wrapped[0].item<double>(), 130 * 2.0 / 255 - 1, 1e-6);
  EXPECT_NEAR(wrapped[1].item<double>(), 1, 1e-6);
  EXPECT_NEAR(wrapped[2].item<double>(), -1, 1e-6);
  EXPECT_NEAR(WrapOutput(torch::tensor({3.0}), OutputWrap::kRaw)[0].item<double>(), 3, 0);
}

TEST(SampleFrameTest, CallsForNoNoiseWithoutChurnAndContextNoise) {
  DenoiserOptions options;
  options.dit = TinyDit();
  options.wrap = OutputWrap::kRaw;
  Denoiser denoiser(options);
  int draws = 0;
  const DrawNoise draw = [&](Draw, torch::IntArrayRef shape) {
    ++draws;
    return torch::zeros(shape);
  };
  const torch::Tensor past = torch::zeros({1, 2, 2, 8, 8}), start = torch::ones({1, 2, 8, 8});
  const Sample plain = SampleFrame(denoiser, past, {}, start, {}, draw);
  EXPECT_EQ(draws, 0);
  EXPECT_EQ(plain.trajectory.size(), 6u);
  SampleFrame(denoiser, past, {}, start, {.s_churn = 1, .s_tmin = 0.5, .s_cond = 0.1}, draw);
  EXPECT_EQ(draws, 5 + 3);  // context noise at each of 5 steps, churn at the 3 sigmas above 0.5
}

}  // namespace
}  // namespace gwm::released
