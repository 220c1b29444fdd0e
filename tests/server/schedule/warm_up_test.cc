#include "server/schedule/warm_up.h"

#include <gtest/gtest.h>

#include <vector>

#include "server/schedule/cost_table.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_world.h"

namespace gwm::server {
namespace {

class WarmUpTest : public ::testing::Test {
 protected:
  void SetUp() override {
    controls_->on_advance = [this](int rows) { clock_.Advance(rows * absl::Milliseconds(1)); };
  }
  absl::Status Run(absl::Duration limit) {
    return WarmUp(*world_, {.time_limit = limit, .max_rows = 16, .clock = &clock_},
                  [this](Stage stage, int rows, absl::Duration cost) {
                    costs_.Learn(stage, rows, cost);
                    if (stage == Stage::kStep) calls_.push_back(rows);
                  });
  }

  fakes::FakeClock clock_;
  std::shared_ptr<fakes::FakeWorldControls> controls_ =
      std::make_shared<fakes::FakeWorldControls>();
  std::unique_ptr<World> world_ = fakes::MakeFakeWorld(controls_);
  CostTable costs_;
  std::vector<int> calls_;
};

TEST_F(WarmUpTest, MeasuresEveryBucketAndLeavesNothingBehind) {
  ASSERT_TRUE(Run(absl::Seconds(10)).ok());
  EXPECT_EQ(calls_, (std::vector<int>{1, 2, 4, 8, 16}));
  EXPECT_EQ(costs_.Predict(Stage::kStep, 8), absl::Milliseconds(8));
  for (const Stage stage : {Stage::kReset, Stage::kEncode, Stage::kRender, Stage::kShow}) {
    EXPECT_TRUE(costs_.Predict(stage, 1).has_value()) << StageName(stage);
  }
  EXPECT_EQ(controls_->live_states, 0);
}

TEST_F(WarmUpTest, BeginsNothingAfterItsTime) {
  ASSERT_TRUE(Run(absl::Milliseconds(4)).ok());
  // One for nothing, then 1 and 2: 4 ms.
  EXPECT_EQ(calls_, (std::vector<int>{1, 2}));
  ASSERT_TRUE(Run(absl::ZeroDuration()).ok());
  EXPECT_EQ(calls_.size(), 2u);
}

TEST_F(WarmUpTest, MeasuresWhatFitsIntoASmallPool) {
  controls_->pool_states = 5;
  ASSERT_TRUE(Run(absl::Seconds(10)).ok());
  EXPECT_EQ(calls_, (std::vector<int>{1, 2, 4}));
}

}  // namespace
}  // namespace gwm::server
