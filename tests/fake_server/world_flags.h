// The flags of gwm-fake-server that concern its world.
#ifndef GWM_TESTS_FAKE_SERVER_WORLD_FLAGS_H_
#define GWM_TESTS_FAKE_SERVER_WORLD_FLAGS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tests/fakes/fake_world.h"

namespace gwm::fakes {

// Takes the world's flags ("--name=N") out of `arguments` and sets `controls` accordingly.
// InvalidArgument names a flag whose value is no number.
absl::Status TakeWorldFlags(std::vector<std::string>& arguments, FakeWorldControls& controls);

// What --help prints.
std::string WorldHelp();

}  // namespace gwm::fakes

#endif  // GWM_TESTS_FAKE_SERVER_WORLD_FLAGS_H_
