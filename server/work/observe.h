// The observations of states, by name.
#ifndef GWM_SERVER_WORK_OBSERVE_H_
#define GWM_SERVER_WORK_OBSERVE_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/api/world.h"
#include "server/session/observation.h"
#include "server/work/images.h"

namespace gwm::server {

// Each [n, ...] as SimulatorSpec.observations describes it.
using Observations = std::map<std::string, HostTensor>;

// Device thread. A null state gives zeros; at least one state is there.
absl::StatusOr<Observations> Observe(World& world, const std::vector<Viewed>& rows,
                                     ObservationSet wanted);

}  // namespace gwm::server

#endif  // GWM_SERVER_WORK_OBSERVE_H_
