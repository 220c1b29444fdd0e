// Small worlds whose dynamics, rewards and pictures are exact: for learning tests that take
// seconds, and as the perfect simulator that a learned one is measured against. No checkpoint, no
// Torch.
#ifndef GWM_ENGINE_API_TOY_H_
#define GWM_ENGINE_API_TOY_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/api/world.h"

namespace gwm {

// "blocks", "lane-strip", "push", "unicycle"; in alphabetical order.
std::vector<std::string> ToyWorldNames();

// The world of that name with room for the states that fit into `pool_bytes`. Steps are one
// denoiser call, whatever is asked for, and draw no noise: a state and an action have one outcome.
// Resets start from the pool (4096 entries, each a function of its number) or from an exported
// state; frames say too little and give Unimplemented, as Compare does. InvalidArgument: no such
// name.
absl::StatusOr<std::unique_ptr<World>> OpenToyWorld(const std::string& name, int64_t pool_bytes);

}  // namespace gwm

#endif  // GWM_ENGINE_API_TOY_H_
