// A point on a line that is to be driven to a goal: small enough to be learned in seconds.
#ifndef GWM_TESTS_CLIENTS_RL_POINT_WORLD_H_
#define GWM_TESTS_CLIENTS_RL_POINT_WORLD_H_

#include <torch/torch.h>

#include <functional>

#include "clients/rl/agent.h"
#include "clients/rl/replay.h"

namespace gwm::rl {

// Both drawn per episode in [-1, 1]. The action moves the point by at most 0.2; the reward is minus
// the distance that is left. Episodes are cut after 20 steps.
struct PointWorld {
  static constexpr int64_t kSteps = 20;

  void Reset(const CounterRandom& random, int64_t episode);
  double Move(double action);   // -> reward
  torch::Tensor Frame() const;  // [2] f32: position, goal - position

  double position = 0;
  double goal = 0;
};

using Policy = std::function<double(const torch::Tensor& frame)>;

// Mean return of a policy over 20 episodes that no training sees.
double Evaluate(const Policy& policy);
double EvaluateAgent(Agent& agent);
double EvaluateRandom(uint64_t seed);

// `steps` environment steps of exploration, with one update after each from step 100 on.
void Train(Agent& agent, uint64_t seed, int64_t steps, int64_t batch_rows, int64_t n_step);

}  // namespace gwm::rl

#endif  // GWM_TESTS_CLIENTS_RL_POINT_WORLD_H_
