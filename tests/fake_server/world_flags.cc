#include "tests/fake_server/world_flags.h"

#include <array>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace gwm::fakes {
namespace {

struct WorldFlag {
  const char* name;
  const char* help;
  std::atomic<int64_t> FakeWorldControls::*value;
};

constexpr std::array kFlags = {
    WorldFlag{"step-us", "time that one Step of a batch takes, microseconds [0]",
              &FakeWorldControls::step_us},
    WorldFlag{"row-us", "more time for each of its rows, microseconds [0]",
              &FakeWorldControls::row_us},
    WorldFlag{"width", "pixels of an observation [6]", &FakeWorldControls::width},
    WorldFlag{"height", "pixels of an observation [4]", &FakeWorldControls::height},
    WorldFlag{"pool-states", "states that fit into the pool; more give ResourceExhausted [131072]",
              &FakeWorldControls::pool_states},
    WorldFlag{"max-step-rows", "rows that one Step can hold; more give ResourceExhausted [4096]",
              &FakeWorldControls::max_step_rows},
    WorldFlag{"hang-after", "the device hangs for good after so many Steps; 0: never [0]",
              &FakeWorldControls::hang_after_steps},
    WorldFlag{"lose-after", "the device is lost after so many Steps; 0: never [0]",
              &FakeWorldControls::lose_after_steps},
    WorldFlag{"leak-bytes", "memory that each Step loses, to check that growth is found [0]",
              &FakeWorldControls::leak_bytes},
};

}  // namespace

absl::Status TakeWorldFlags(std::vector<std::string>& arguments, FakeWorldControls& controls) {
  std::vector<std::string> rest;
  for (const std::string& argument : arguments) {
    bool taken = false;
    for (const WorldFlag& flag : kFlags) {
      const std::string prefix = absl::StrCat("--", flag.name, "=");
      if (!absl::StartsWith(argument, prefix)) continue;
      int64_t value = 0;
      if (!absl::SimpleAtoi(argument.substr(prefix.size()), &value) || value < 0) {
        return absl::InvalidArgumentError(
            absl::StrCat("--", flag.name, ": a number of 0 or more is asked for"));
      }
      controls.*flag.value = value;
      taken = true;
    }
    if (!taken) rest.push_back(argument);
  }
  arguments = std::move(rest);
  return absl::OkStatus();
}

std::string WorldHelp() {
  std::string text =
      "gwm-fake-server: gwm-server on a world of two numbers per environment, for tests and\n"
      "benchmarks. A row whose first action entry is 0.6875 comes out non-finite.\n\n"
      "All flags of gwm-server, and:\n";
  for (const WorldFlag& flag : kFlags) {
    absl::StrAppend(&text, "  --", flag.name, "=N\n      ", flag.help, "\n");
  }
  return text;
}

}  // namespace gwm::fakes
