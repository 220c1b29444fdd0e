// What a session can return of a state, by the names of SimulatorSpec.observations.
#ifndef GWM_SERVER_SESSION_OBSERVATION_H_
#define GWM_SERVER_SESSION_OBSERVATION_H_

#include <array>
#include <cstdint>
#include <string_view>

namespace gwm::server {

enum Observation : uint32_t {
  kObserveRgb = 1,
  kObserveDepth = 2,
  kObserveLatent = 4,
  kObserveFeatures = 8,
};
// Any of the above, or-ed together.
using ObservationSet = uint32_t;

struct NamedObservation {
  Observation bit;
  std::string_view name;
};
inline constexpr std::array kObservations = {
    NamedObservation{kObserveRgb, "rgb"},
    NamedObservation{kObserveDepth, "depth"},
    NamedObservation{kObserveLatent, "latent"},
    NamedObservation{kObserveFeatures, "features"},
};

}  // namespace gwm::server

#endif  // GWM_SERVER_SESSION_OBSERVATION_H_
