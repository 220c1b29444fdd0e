#include "clients/rl/schedule.h"

#include <gtest/gtest.h>

namespace gwm::rl {
namespace {

TEST(ScheduleTest, FallsLinearlyAndStays) {
  const auto schedule = Schedule::Parse("linear(1.0,0.1,100000)");
  ASSERT_TRUE(schedule.ok()) << schedule.status();
  EXPECT_NEAR(schedule->At(0), 1, 1e-12);
  EXPECT_NEAR(schedule->At(2000), 0.982, 1e-12);
  EXPECT_NEAR(schedule->At(50000), 0.55, 1e-12);
  EXPECT_NEAR(schedule->At(100000), 0.1, 1e-12);
  EXPECT_NEAR(schedule->At(1000000), 0.1, 1e-12);
}

TEST(ScheduleTest, ANumberIsConstant) {
  const auto schedule = Schedule::Parse("0.2");
  ASSERT_TRUE(schedule.ok());
  EXPECT_EQ(schedule->At(0), 0.2);
  EXPECT_EQ(schedule->At(12345), 0.2);
}

TEST(ScheduleTest, RefusesOtherTexts) {
  for (const char* text : {"", "linear", "linear()", "linear(1,2)", "linear(1,2,0)", "linear(1,2,3",
                           "linear(1,2,3,4)", "1,2,3", "step(1,2,3)", "nan", "linear(1,inf,5)"}) {
    EXPECT_EQ(Schedule::Parse(text).status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
}

}  // namespace
}  // namespace gwm::rl
