#include <gtest/gtest.h>

#include <cmath>

#include "engine/toy/task.h"

namespace gwm::toy {
namespace {

using State = std::vector<float>;
constexpr float kTouch = 0.2F;

float Gap(const State& state) { return std::hypot(state[0] - state[2], state[1] - state[3]); }

TEST(Push, APuckThatIsNotTouchedStaysWhereItIs) {
  const auto task = MakePushTask();
  const State next = task->Step(State{-0.5F, 0, 0, 0, 0.5F, 0}, std::vector<float>{1, 0}).next;
  EXPECT_NEAR(next[0], -0.45, 1e-6);
  EXPECT_EQ(next[2], 0);
  EXPECT_EQ(next[3], 0);
}

TEST(Push, ThePuckGoesAlongTheLineOfCentres) {
  const auto task = MakePushTask();
  State state = {-0.2F, -0.05F, 0, 0, 0.5F, 0};
  for (int i = 0; i < 6; ++i) state = task->Step(state, std::vector<float>{1, 0}).next;
  EXPECT_GT(state[2], 0.15F);
  EXPECT_GT(state[3], 0.02F);  // off the centre: it slips aside
  EXPECT_NEAR(Gap(state), kTouch, 1e-5);
}

TEST(Push, WallsStopPuckAndPusher) {
  const auto task = MakePushTask();
  State state = {0.5F, 0, 0.75F, 0, -0.5F, 0};
  for (int i = 0; i < 40; ++i) state = task->Step(state, std::vector<float>{1, 0}).next;
  EXPECT_NEAR(state[2], 0.88, 1e-6);
  EXPECT_NEAR(Gap(state), kTouch, 1e-5);
  for (int i = 0; i < 40; ++i) state = task->Step(state, std::vector<float>{-1, -1}).next;
  EXPECT_NEAR(state[0], -0.92, 1e-6);
  EXPECT_NEAR(state[1], -0.92, 1e-6);
}

TEST(Push, PaysThePucksWayTowardsTheGoalAndEndsThere) {
  const auto task = MakePushTask();
  const Transition pushed = task->Step(State{0, 0, 0.2F, 0, 0.6F, 0}, std::vector<float>{1, 0});
  EXPECT_NEAR(pushed.reward, 10 * 0.05 - 0.01, 1e-4);
  const Transition there = task->Step(State{0, 0, 0.2F, 0, 0.36F, 0}, std::vector<float>{1, 0});
  EXPECT_TRUE(there.success);
  EXPECT_NEAR(there.reward, 10 + 10 * 0.05 - 0.01, 1e-4);
}

TEST(Push, NoStartIsSolvedOrTouches) {
  const auto task = MakePushTask();
  for (uint32_t index = 0; index < 4096; ++index) {
    const State start = task->Start(index);
    EXPECT_GE(Gap(start), kTouch) << index;
    EXPECT_GE(std::hypot(start[2] - start[4], start[3] - start[5]), 0.36F) << index;
    EXPECT_EQ(start, task->Start(index));
  }
}

}  // namespace
}  // namespace gwm::toy
