#include "tests/clients/rl/point_world.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace gwm::rl {

void PointWorld::Reset(const CounterRandom& random, int64_t episode) {
  const torch::Tensor places =
      2 * random.Uniform(RandomStream::kShift, static_cast<uint64_t>(episode), {2}) - 1;
  position = places[0].item<double>();
  goal = places[1].item<double>();
}

double PointWorld::Move(double action) {
  position = std::clamp(position + 0.2 * std::clamp(action, -1.0, 1.0), -1.5, 1.5);
  return -std::abs(goal - position);
}

torch::Tensor PointWorld::Frame() const {
  return torch::tensor({static_cast<float>(position), static_cast<float>(goal - position)});
}

double Evaluate(const Policy& policy) {
  constexpr int64_t kEpisodes = 20;
  const CounterRandom random(999);
  double sum = 0;
  PointWorld world;
  for (int64_t episode = 0; episode < kEpisodes; ++episode) {
    world.Reset(random, episode);
    for (int64_t t = 0; t < PointWorld::kSteps; ++t) sum += world.Move(policy(world.Frame()));
  }
  return sum / kEpisodes;
}

double EvaluateAgent(Agent& agent) {
  return Evaluate([&](const torch::Tensor& frame) {
    return agent.Act(frame.unsqueeze(0), ActMode::kEvaluate, 1 << 20)->item<double>();
  });
}

double EvaluateRandom(uint64_t seed) {
  const CounterRandom random(seed);
  uint64_t draws = 0;
  return Evaluate([&](const torch::Tensor&) {
    return 2 * random.Uniform(RandomStream::kExploration, draws++, {1}).item<double>() - 1;
  });
}

void Train(Agent& agent, uint64_t seed, int64_t steps, int64_t batch_rows, int64_t n_step) {
  constexpr int64_t kFirstUpdate = 100;
  const auto replay = *Replay::Create({.frame_shape = {2},
                                       .frame_type = torch::kFloat32,
                                       .frame_stack = 1,
                                       .action_dim = 1,
                                       .max_transitions = 10000,
                                       .n_step = n_step,
                                       .discount = 0.95,
                                       .seed = seed});
  const CounterRandom random(seed);
  PointWorld world;
  for (int64_t step = 0; step < steps; ++step) {
    const int64_t t = step % PointWorld::kSteps;
    if (t == 0) {
      world.Reset(random, step / PointWorld::kSteps);
      ASSERT_TRUE(replay->Begin(0, world.Frame().unsqueeze(0)).ok());
    }
    const auto action = agent.Act(world.Frame().unsqueeze(0), ActMode::kExplore, step);
    ASSERT_TRUE(action.ok()) << action.status();
    const double reward = world.Move(action->item<double>());
    ASSERT_TRUE(replay
                    ->Add(0, {.action = (*action)[0],
                              .reward = reward,
                              .frame = world.Frame(),
                              .truncated = t + 1 == PointWorld::kSteps})
                    .ok());
    if (step < kFirstUpdate) continue;
    const auto batch = replay->Sample(batch_rows, static_cast<uint64_t>(step));
    ASSERT_TRUE(batch.ok()) << batch.status();
    ASSERT_TRUE(agent.Update(*batch, step).ok());
  }
}

}  // namespace gwm::rl
