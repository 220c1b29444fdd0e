// gwm-server: see flags.cc for its command line.
#include <cstdio>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "engine/api/toy.h"
#include "engine/api/trainer.h"
#include "engine/api/world.h"
#include "server/bin/flags.h"
#include "server/bin/health_probe.h"
#include "server/bin/load_config.h"
#include "server/bin/process.h"
#include "server/bin/serve.h"
#include "server/bin/stop_signal.h"
#include "server/convert/config.h"
#include "server/rpc/server.h"

namespace gwm::server {
namespace {

constexpr int kExitError = 1;
constexpr int kExitUsage = 2;

int Fail(const absl::Status& status, int code = kExitError) {
  std::fprintf(stderr, "gwm-server: %s\n", std::string(status.message()).c_str());
  return code;
}

// How the worlds of one server compute, so that a probe's timing never makes two versions differ.
struct WorldSetting {
  explicit WorldSetting(const ServerOptions& options) : precision(options.precision) {}
  std::string precision;  // "auto" until the first world has chosen
};

WorldFactory EngineWorld(const ServerOptions& options, std::shared_ptr<WorldSetting> setting) {
  return [options, setting]() -> absl::StatusOr<std::unique_ptr<World>> {
    if (!options.toy.empty()) {
      return OpenToyWorld(options.toy, static_cast<int64_t>(options.state_pool_bytes));
    }
    auto world = OpenWorld({.checkpoint_dir = options.checkpoint,
                            .device = options.device,
                            .pool_bytes = static_cast<int64_t>(options.state_pool_bytes),
                            .threads = static_cast<int>(options.threads),
                            .precision = setting->precision});
    if (world.ok()) setting->precision = (*world)->spec().precision;
    return world;
  };
}

// For models that are loaded beside others, after the first one is there. One thread is enough to
// read a checkpoint, and leaves the cores to those who step; the device thread has its own number
// of threads.
WorldOpener EngineOpener(const ServerOptions& options,
                         std::shared_ptr<const WorldSetting> setting) {
  return [options, setting](const std::string& folder) {
    return OpenWorld({.checkpoint_dir = folder,
                      .device = options.device,
                      .pool_bytes = static_cast<int64_t>(options.state_pool_bytes),
                      .threads = 1,
                      .precision = setting->precision});
  };
}

// The model to train lies where the worlds compute, and leaves their number of threads alone.
TrainerOpener EngineTrainer(const ServerOptions& options) {
  return [device = options.device](TrainerOptions trainer) {
    trainer.device = device;
    return OpenTrainer(trainer);
  };
}

// A reader never sees half of the file.
absl::Status WritePortFile(const std::string& path, const std::vector<std::string>& addresses) {
  const std::string unfinished = path + ".tmp";
  std::ofstream file(unfinished);
  for (const std::string& address : addresses) file << address << "\n";
  file.close();
  if (!file || std::rename(unfinished.c_str(), path.c_str()) != 0) {
    return absl::UnavailableError(absl::StrCat("cannot write ", path));
  }
  return absl::OkStatus();
}

int Check(const ServerOptions& options) {
  auto world = EngineWorld(options, std::make_shared<WorldSetting>(options))();
  if (!world.ok()) return Fail(world.status());
  const WorldSpec& spec = (*world)->spec();
  std::printf("ok: %s, digest %s, on %s, room for %lld states\n", spec.model_id.c_str(),
              spec.checkpoint_digest.c_str(), spec.device.c_str(),
              static_cast<long long>(spec.pool_states));
  return 0;
}

void Announce(const Server& server, const ServerOptions& options, const Log& log) {
  log.Info(absl::StrCat("configuration:\n", ConfigText(ToProto(options))));
  log.Info(absl::StrCat("model ", server.spec().model_id, ", digest ",
                        server.spec().checkpoint_digest, ", on ", server.spec().device));
  if (const std::string& compute = server.spec().compute; !compute.empty()) log.Info(compute);
  std::printf("listening on %s\n", absl::StrJoin(server.addresses(), ", ").c_str());
  if (server.metrics_port() != 0) std::printf("metrics on port %d\n", server.metrics_port());
  std::fflush(stdout);
}

int Serve(const Flags& flags, const ServerOptions& options, const StopSignal& stop) {
  const SystemClock clock;
  const Log log(options.log_level);
  const auto setting = std::make_shared<WorldSetting>(options);
  auto server = Server::Start({.options = options,
                               .world = EngineWorld(options, setting),
                               .open = EngineOpener(options, setting),
                               .open_trainer = EngineTrainer(options),
                               .clock = &clock,
                               .log = &log,
                               .random = SystemRandom(),
                               .version = GWM_VERSION,
                               .on_drain_call = [&stop] { stop.Wake(); },
                               .on_device_lost = [&stop] { stop.Wake(); }});
  if (!server.ok()) return Fail(server.status());
  Announce(**server, options, log);
  if (!flags.port_file.empty()) {
    if (auto status = WritePortFile(flags.port_file, (*server)->addresses()); !status.ok()) {
      return Fail(status);
    }
  }
  return ServeUntilStopped(**server, stop, options.drain, log);
}

int Main(const std::vector<std::string>& arguments) {
  const auto flags = ParseFlags(arguments);
  if (!flags.ok()) {
    Fail(flags.status(), kExitUsage);
    std::fprintf(stderr, "Try gwm-server --help.\n");
    return kExitUsage;
  }
  if (flags->mode == Flags::Mode::kHelp) {
    std::fputs(HelpText().c_str(), stdout);
    return 0;
  }
  if (flags->mode == Flags::Mode::kHealth) {
    const absl::Status healthy = ProbeHealth(flags->health_address, absl::Seconds(5));
    return healthy.ok() ? 0 : Fail(healthy);
  }
  const auto options = LoadOptions(*flags);
  if (!options.ok()) return Fail(options.status(), kExitUsage);
  if (flags->mode == Flags::Mode::kPrintConfig) {
    std::fputs(ConfigText(ToProto(*options)).c_str(), stdout);
    return 0;
  }
  if (flags->mode == Flags::Mode::kCheck) return Check(*options);
  SetUpProcess();
  const StopSignal stop;
  return Serve(*flags, *options, stop);
}

}  // namespace
}  // namespace gwm::server

int main(int argc, char** argv) {
  return gwm::server::Main(std::vector<std::string>(argv + 1, argv + argc));
}
