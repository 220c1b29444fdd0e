// The random draws of policies, by what they are for.
#ifndef GWM_CLIENTS_POLICIES_RANDOM_STREAM_H_
#define GWM_CLIENTS_POLICIES_RANDOM_STREAM_H_

#include "clients/base/counter_random.h"

namespace gwm::policies {

// The numbers are part of saved runs.
enum class RandomStream : uint32_t {
  kWeights = 0,
  kLossUniform = 1,
  kLossNormal = 2,
  kEpisode = 3,  // seeds of episodes
  kActUniform = 4,
  kActNormal = 5,
};
using CounterRandom = clients::CounterRandom<RandomStream>;

}  // namespace gwm::policies

#endif  // GWM_CLIENTS_POLICIES_RANDOM_STREAM_H_
