#include <array>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "engine/api/toy.h"
#include "engine/toy/toy_world.h"

namespace gwm {
namespace {

struct Named {
  const char* name;
  std::unique_ptr<toy::Task> (*make)();
};
constexpr std::array<Named, 4> kTasks = {{{"blocks", toy::MakeBlocksTask},
                                          {"lane-strip", toy::MakeLaneStripTask},
                                          {"push", toy::MakePushTask},
                                          {"unicycle", toy::MakeUnicycleTask}}};

}  // namespace

std::vector<std::string> ToyWorldNames() {
  std::vector<std::string> names;
  names.reserve(kTasks.size());
  for (const Named& task : kTasks) names.emplace_back(task.name);
  return names;
}

absl::StatusOr<std::unique_ptr<World>> OpenToyWorld(const std::string& name, int64_t pool_bytes) {
  for (const Named& task : kTasks) {
    if (name == task.name) return std::make_unique<toy::ToyWorld>(task.make(), pool_bytes);
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "no toy world is called '", name, "'; ", absl::StrJoin(ToyWorldNames(), ", "), " are there"));
}

}  // namespace gwm
