#include <gtest/gtest.h>

#include <cmath>

#include "engine/toy/task.h"

namespace gwm::toy {
namespace {

using State = std::vector<float>;

// `steps` steps of one action from a state with the goal far away.
State After(State state, const std::vector<float>& action, int steps) {
  const auto task = MakeUnicycleTask();
  for (int i = 0; i < steps; ++i) state = task->Step(state, action).next;
  return state;
}

// The figures are those of a double-precision integration in the same order.
TEST(Unicycle, FollowsThePublishedIntegration) {
  const State straight = After({0, 0, 0, 0, -1, -1}, {1, 0}, 10);
  EXPECT_NEAR(straight[0], 0.55, 1e-6);
  EXPECT_NEAR(straight[3], 1, 1e-6);
  const State turning = After({0, 0, 0, 0, -1, -1}, {1, 0.5F}, 10);
  EXPECT_NEAR(turning[0], 0.253505235, 1e-6);
  EXPECT_NEAR(turning[1], 0.446968357, 1e-6);
  EXPECT_NEAR(turning[2], 1.5, 1e-6);
}

TEST(Unicycle, StopsAtTheWall) {
  State state = {0.95F, 0, 0, 0.5F, -1, -1};
  for (int i = 0; i < 3; ++i) {
    state = After(state, {1, 0}, 1);
    EXPECT_EQ(state[0], 1);
    EXPECT_EQ(state[3], 0);
  }
}

TEST(Unicycle, PaysTheWayTowardsTheGoalAndEndsThere) {
  const auto task = MakeUnicycleTask();
  const Transition nearer = task->Step(State{0, 0, 0, 1, 0.5F, 0}, std::vector<float>{0, 0});
  EXPECT_NEAR(nearer.reward, 1, 1e-5);
  EXPECT_FALSE(nearer.success);
  const Transition there = task->Step(State{0, 0, 0, 1, 0.15F, 0}, std::vector<float>{0, 0});
  EXPECT_TRUE(there.success);
  EXPECT_NEAR(there.reward, 11, 1e-5);
}

}  // namespace
}  // namespace gwm::toy
