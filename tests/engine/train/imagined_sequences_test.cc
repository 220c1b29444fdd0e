#include "engine/train/imagined_sequences.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include "tests/engine/model/model_builders.h"
#include "tests/fakes/toy_scenes.h"

namespace gwm {
namespace {

class ImagineSequencesTest : public ::testing::Test {
 protected:
  std::vector<ImaginedSequence> Imagine(int64_t steps, uint64_t seed = 3) {
    return ImagineSequences(*model_, real_, steps, seed, /*quiet=*/true);
  }

  torch::NoGradGuard no_grad_;
  std::unique_ptr<WorldModel> model_ = testing::ShakenModel("grid");
  std::vector<LatentSequence> real_ =
      EncodeDataset(*model_, testing::ToyDataset(1, {.seed = 1, .frames = 9}));
};

TEST_F(ImagineSequencesTest, StartsAreRealAndTheRestIsImaginedUnderTheRealActions) {
  const auto imagined = Imagine(4);
  ASSERT_EQ(imagined.size(), 2U);  // from frames 0 and 4
  const auto& real = real_[0];
  for (size_t i = 0; i < 2; ++i) {
    const int64_t start = 4 * static_cast<int64_t>(i);
    const auto& s = imagined[i].imagined;
    EXPECT_TRUE(torch::equal(imagined[i].real, real.latents.narrow(0, start, 5)));
    ASSERT_EQ(s.frames(), 5);
    EXPECT_TRUE(torch::equal(s.latents[0], real.latents[start]));
    EXPECT_FALSE(torch::equal(s.latents[1], real.latents[start + 1]));
    EXPECT_TRUE(torch::equal(s.centres, real.centres.narrow(0, start, 1)));
    for (const auto& [got, all] : {std::pair{s.action, real.action},
                                   {s.reward, real.reward},
                                   {s.terminated, real.terminated},
                                   {s.success, real.success}}) {
      EXPECT_TRUE(torch::equal(got, all.narrow(0, start, 5)));
    }
  }
}

TEST_F(ImagineSequencesTest, FirstStepIsTheModelsOwnPrediction) {
  model_->config.diffusion.mean_start = true;  // no noise to know
  const auto& real = real_[0];
  const auto& d = model_->config.dynamics;
  const auto repeated = real.latents[0].unsqueeze(0).unsqueeze(0);
  const auto state =
      model_->Begin(model_->Standardise(repeated),
                    torch::zeros({1, d.action_history - 1, model_->config.action_dim}),
                    real.centres.narrow(0, 0, 1));
  const auto next = model_->PredictNext(state, real.action.narrow(0, 1, 1), 1,
                                        torch::zeros_like(real.latents.narrow(0, 0, 1)));
  EXPECT_TRUE(torch::allclose(Imagine(4)[0].imagined.latents[1], model_->Destandardise(next)[0],
                              1e-4, 1e-5));
}

TEST_F(ImagineSequencesTest, RolloutsEndWithTheirEpisode) {
  const auto imagined = Imagine(6);
  ASSERT_EQ(imagined.size(), 2U);
  EXPECT_EQ(imagined[0].imagined.frames(), 7);
  EXPECT_EQ(imagined[1].imagined.frames(), 3);  // frames 6, 7, 8
}

TEST_F(ImagineSequencesTest, SequencesWithOneResetFrameStartThereAlone) {
  real_[0].centres = real_[0].centres.narrow(0, 0, 1);
  EXPECT_EQ(Imagine(4).size(), 1U);
}

TEST_F(ImagineSequencesTest, SeedDecidesTheNoise) {
  const auto latents = [&](uint64_t seed) { return Imagine(4, seed)[0].imagined.latents; };
  EXPECT_TRUE(torch::equal(latents(3), latents(3)));
  EXPECT_FALSE(torch::equal(latents(3), latents(5)));
}

TEST_F(ImagineSequencesTest, ThreadsChangeNothing) {
  const auto more = EncodeDataset(*model_, testing::ToyDataset(3, {.seed = 2, .frames = 9}));
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  const auto one = ImagineSequences(*model_, more, 4, 3, /*quiet=*/true);
  at::set_num_threads(3);
  const auto three = ImagineSequences(*model_, more, 4, 3, /*quiet=*/true);
  at::set_num_threads(threads);
  ASSERT_EQ(one.size(), three.size());
  for (size_t i = 0; i < one.size(); ++i) {
    EXPECT_TRUE(torch::equal(one[i].imagined.latents, three[i].imagined.latents)) << i;
  }
}

TEST_F(ImagineSequencesTest, LazyOnesAreMadeOnce) {
  std::vector<LatentSequence> sequences;
  LazyImagination imagination(*model_, sequences, 4, 3, /*quiet=*/true);
  sequences = real_;
  imagination.Make();
  EXPECT_EQ(imagination.Get().size(), 2U);
  sequences.clear();
  imagination.Make();
  EXPECT_EQ(imagination.Get().size(), 2U);
}

}  // namespace
}  // namespace gwm
