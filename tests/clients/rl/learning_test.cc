// Agents learn a small task in seconds, over three seeds, beside a random policy.
#include <cstdio>

#include "clients/rl/drqv2.h"
#include "clients/rl/sac.h"
#include "tests/clients/rl/point_world.h"
#include "tests/clients/rl/test_support.h"

namespace gwm::rl {
namespace {

class LearningTest : public ::testing::TestWithParam<uint64_t> {
 protected:
  LearningTest() { torch::set_num_threads(1); }

  // An agent that has learned loses a quarter of the random policy's cost or less.
  void ExpectLearns(Agent& agent, int64_t steps, int64_t n_step) {
    Train(agent, GetParam(), steps, /*batch_rows=*/64, n_step);
    const double learned = EvaluateAgent(agent), random = EvaluateRandom(GetParam());
    std::printf("seed %d: return %.2f, random policy %.2f\n", static_cast<int>(GetParam()), learned,
                random);
    EXPECT_GT(learned, random / 4);
  }
};

TEST_P(LearningTest, SacDrivesThePointToItsGoal) {
  const auto agent = Sac::Create({.observation_dim = 2,
                                  .action_dim = 1,
                                  .hidden_width = 32,
                                  .learning_rate = 3e-3,
                                  .target_rate = 0.02,
                                  .initial_temperature = 0.1,
                                  .random_steps = 200,
                                  .seed = GetParam()});
  ASSERT_TRUE(agent.ok()) << agent.status();
  ExpectLearns(**agent, 800, 1);
}

TEST_P(LearningTest, DrQv2OnVectorsDrivesThePointToItsGoal) {
  const auto agent = DrQv2::Create({.observation = ObservationKind::kVector,
                                    .observation_shape = {2},
                                    .action_dim = 1,
                                    .trunk_width = 16,
                                    .hidden_width = 32,
                                    .learning_rate = 2e-3,
                                    .target_rate = 0.02,
                                    .exploration_std = Schedule(1.0, 0.2, 600),
                                    .random_steps = 200,
                                    .seed = GetParam()});
  ASSERT_TRUE(agent.ok()) << agent.status();
  ExpectLearns(**agent, 800, 3);
}

INSTANTIATE_TEST_SUITE_P(Seeds, LearningTest, ::testing::Values(1, 2, 3));

}  // namespace
}  // namespace gwm::rl
