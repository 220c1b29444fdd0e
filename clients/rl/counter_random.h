// The random draws of learners, by what they are for.
#ifndef GWM_CLIENTS_RL_COUNTER_RANDOM_H_
#define GWM_CLIENTS_RL_COUNTER_RANDOM_H_

#include "clients/base/counter_random.h"

namespace gwm::rl {

// What a draw is for. Draws of two streams are independent; the numbers are part of saved runs.
enum class RandomStream : uint32_t {
  kWeights = 0,
  kExploration = 1,
  kTargetNoise = 2,
  kActorNoise = 3,
  kShift = 4,
  kReplay = 5,
  kImaginedReplay = 6,
  kEnsembleSplit = 7,
  kEnsembleBootstrap = 8,
  kEnsembleSample = 9,
  kPlanner = 10,
};

using CounterRandom = clients::CounterRandom<RandomStream>;
using clients::Philox;

}  // namespace gwm::rl

#endif  // GWM_CLIENTS_RL_COUNTER_RANDOM_H_
