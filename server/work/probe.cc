#include "server/work/probe.h"

#include <algorithm>
#include <vector>

#include "server/base/status.h"
#include "server/work/grey_wall.h"

namespace gwm::server {

absl::Status ProbeDevice(World& world) {
  const WorldSpec& spec = world.spec();
  const GreyWall wall(spec);
  ASSIGN_OR_RETURN(const std::vector<StatePtr> states, world.Reset({wall.Start(spec)}));
  const std::vector<float> still(static_cast<size_t>(spec.action_dim),
                                 std::clamp(0.F, spec.action_min, spec.action_max));
  ASSIGN_OR_RETURN(const std::vector<StepRow> rows,
                   world.Step({{.state = states.front(), .action = still, .noise = {}}},
                              {.sampler_calls = 1, .sampler = SamplerKind::kEuler}));
  return rows.front().status;
}

}  // namespace gwm::server
