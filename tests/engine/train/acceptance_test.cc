// Learning tests: gwm-tiny on toy episodes must reach these figures, and each prints the trivial
// baseline beside them.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <memory>

#include "engine/train/rank_statistics.h"
#include "tests/engine/train/trained_toy.h"

namespace gwm {
namespace {

struct Grid {
  static constexpr char kName[] = "grid";
};
struct Set {
  static constexpr char kName[] = "set";
};

// One training serves all tests of a tokenizer.
template <typename Kind>
class AcceptanceTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    const auto begin = std::chrono::steady_clock::now();
    toy_ = std::make_unique<testing::TrainedToy>(Kind::kName);
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
    std::printf("%s: trained in %.0f s\n", Kind::kName, seconds.count());
  }
  static void TearDownTestSuite() { toy_.reset(); }

  static std::unique_ptr<testing::TrainedToy> toy_;
};
template <typename Kind>
std::unique_ptr<testing::TrainedToy> AcceptanceTest<Kind>::toy_;

using Kinds = ::testing::Types<Grid, Set>;
TYPED_TEST_SUITE(AcceptanceTest, Kinds);

TYPED_TEST(AcceptanceTest, TokenizerRendersToyScenesAt30Db) {
  const auto score = this->toy_->TokenizerScore();
  std::printf("%s tokenizer: rendered %.2f dB; first frame kept: %.2f dB\n", TypeParam::kName,
              score.model_db, score.baseline_db);
  EXPECT_GE(score.model_db, 30);
  EXPECT_GT(score.model_db, score.baseline_db);
}

TYPED_TEST(AcceptanceTest, LatentErrorFallsTenfoldAndNeedsTheRightActions) {
  const auto before = this->toy_->OneStep(*this->toy_->untrained);
  const auto after = this->toy_->OneStep(*this->toy_->model);
  std::printf(
      "%s one step, latent MSE: %.3g; untrained (nothing changes): %.3g; actions of another "
      "episode: %.3g\n",
      TypeParam::kName, after.model, before.model, after.wrong_actions);
  EXPECT_LE(after.model, before.model / 10);
  EXPECT_GE(after.wrong_actions, 2 * after.model);
}

TYPED_TEST(AcceptanceTest, FourStepRolloutBeatsRepeatLastBy3Db) {
  const auto score = this->toy_->FourSteps();
  std::printf("%s four steps: rendered %.2f dB; repeat-last: %.2f dB\n", TypeParam::kName,
              score.model_db, score.baseline_db);
  EXPECT_GE(score.model_db, score.baseline_db + 3);
}

TYPED_TEST(AcceptanceTest, StillSceneKeepsItsLuminanceFor30Steps) {
  const auto relative = this->toy_->StillLuminance();
  double worst = 0;
  for (double x : relative) worst = std::max(worst, std::abs(x - 1));
  std::printf("%s 30 still steps: luminance within %.2f %% (unchanged frame: 0 %%)\n",
              TypeParam::kName, 100 * worst);
  ASSERT_EQ(relative.size(), 30U);
  EXPECT_LE(worst, 0.05);
}

TYPED_TEST(AcceptanceTest, RewardHeadReadsTheTransitionItIsGiven) {
  const auto table = this->toy_->Rewards(0);
  const auto shifted = this->toy_->Rewards(1);
  const double right = testing::Correlation(table.predicted, table.truth);
  const double late = testing::Correlation(shifted.predicted, shifted.truth);
  const double auc = RocAuc(table.terminated_probability, table.terminated);
  std::printf(
      "%s reward: correlation %.3f; one frame late: %.3f; constant: 0. Termination AUC %.3f; "
      "constant: 0.5\n",
      TypeParam::kName, right, late, auc);
  EXPECT_GE(right, 0.95);
  EXPECT_LT(late, right);
  EXPECT_GE(auc, 0.9);
}

}  // namespace
}  // namespace gwm
