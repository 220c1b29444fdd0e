// gwm-fake-server: see world_flags.cc for its command line.
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_join.h"
#include "server/base/random_source.h"
#include "server/bin/flags.h"
#include "server/bin/load_config.h"
#include "server/bin/process.h"
#include "server/bin/serve.h"
#include "server/bin/stop_signal.h"
#include "server/rpc/server.h"
#include "tests/fake_server/world_flags.h"
#include "tests/fakes/fake_world.h"

namespace gwm::server {
namespace {

int Fail(const absl::Status& status, int code) {
  std::fprintf(stderr, "gwm-fake-server: %s\n", std::string(status.message()).c_str());
  return code;
}

int Main(std::vector<std::string> arguments) {
  const auto controls = std::make_shared<fakes::FakeWorldControls>();
  controls->pool_states = 131'072;
  controls->max_step_rows = 4096;
  controls->record_batches = false;
  if (auto status = fakes::TakeWorldFlags(arguments, *controls); !status.ok()) {
    return Fail(status, 2);
  }
  const auto flags = ParseFlags(arguments);
  if (!flags.ok()) return Fail(flags.status(), 2);
  if (flags->mode == Flags::Mode::kHelp) {
    std::fputs(fakes::WorldHelp().c_str(), stdout);
    return 0;
  }
  const auto options = LoadOptions(*flags);
  if (!options.ok()) return Fail(options.status(), 2);
  SetUpProcess();
  const StopSignal stop;
  const SystemClock clock;
  const Log log(options->log_level);
  const auto server = Server::Start({.options = *options,
                                     .world = [controls] { return fakes::MakeFakeWorld(controls); },
                                     .clock = &clock,
                                     .log = &log,
                                     .random = SystemRandom(),
                                     .version = "fake",
                                     .on_drain_call = [&stop] { stop.Wake(); },
                                     .on_device_lost = [&stop] { stop.Wake(); }});
  if (!server.ok()) return Fail(server.status(), 1);
  std::printf("listening on %s\n", absl::StrJoin((*server)->addresses(), ", ").c_str());
  if ((*server)->metrics_port() != 0) {
    std::printf("metrics on port %d\n", (*server)->metrics_port());
  }
  std::fflush(stdout);
  return ServeUntilStopped(**server, stop, options->drain, log);
}

}  // namespace
}  // namespace gwm::server

int main(int argc, char** argv) {
  return gwm::server::Main(std::vector<std::string>(argv + 1, argv + argc));
}
