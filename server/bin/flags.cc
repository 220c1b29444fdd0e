#include "server/bin/flags.h"

#include <functional>
#include <map>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace gwm::server {
namespace {

constexpr char kHelp[] = R"(gwm-server: serves a Gaussian world model over gRPC.

  gwm-server [flags]                 serve until SIGTERM or SIGINT
  gwm-server --health ADDR           ask a server; exit 0 when it is alive
  gwm-server --print-config [flags]  print the resulting configuration and exit
  gwm-server --check [flags]         check configuration and checkpoint and exit

Flags (they win over the configuration file):
  --listen=ADDR[,ADDR...]   HOST:PORT (port 0: a free one) or unix:PATH   [127.0.0.1:50051]
  --checkpoint=DIR          the checkpoint to serve at first              [checkpoints/gwm-small]
  --checkpoint-root=DIR     folder of those that LoadModel may name       [off]
  --toy=NAME                an exact little world instead: blocks,        [off]
                            lane-strip, push, unicycle
  --device=auto|cpu|cuda    where to compute                              [auto]
  --precision=PRECISION     of matrix products: fp32, bf16, auto          [auto]
  --metrics-listen=ADDR     serve /metrics, /healthz, /livez over HTTP    [off]
  --episode-root=DIR        folder that Reset's episode paths lie in      [off]
  --training-root=DIR       folder for training; needs --checkpoint-root  [off]
  --state-key-file=FILE     seals state blobs with the key in this file   [off]
  --config=FILE             configuration, gwm.v1.ServerConfig in text format
  --port-file=FILE          write the addresses chosen, one a line, once serving
  --log-level=LEVEL         debug, info, warn or error                    [info]
  --help

Examples:
  gwm-server --checkpoint=checkpoints/gwm-small
  gwm-server --listen=0.0.0.0:50051,unix:/run/gwm.sock --metrics-listen=0.0.0.0:9464
  gwm-server --listen=127.0.0.1:0 --port-file=/tmp/gwm.addr --device=cpu
  gwm-server --toy=push --listen=127.0.0.1:50051
  gwm-server --checkpoint-root=checkpoints --training-root=/var/lib/gwm
  gwm-server --config=server.textproto --print-config
  gwm-server --health 127.0.0.1:50051
)";

using Setter = std::function<void(const std::string&, Flags&)>;

std::map<std::string, Setter> ValueFlags() {
  using v1::ServerConfig;
  const auto text = [](void (ServerConfig::*set)(const std::string&)) {
    return [set](const std::string& value, Flags& flags) { (flags.overrides.*set)(value); };
  };
  return {
      {"checkpoint", text(&ServerConfig::set_checkpoint<const std::string&>)},
      {"checkpoint-root", text(&ServerConfig::set_checkpoint_root<const std::string&>)},
      {"toy", text(&ServerConfig::set_toy<const std::string&>)},
      {"device", text(&ServerConfig::set_device<const std::string&>)},
      {"precision", text(&ServerConfig::set_precision<const std::string&>)},
      {"metrics-listen", text(&ServerConfig::set_metrics_listen<const std::string&>)},
      {"episode-root", text(&ServerConfig::set_episode_root<const std::string&>)},
      {"state-key-file", text(&ServerConfig::set_state_key_file<const std::string&>)},
      {"training-root", text(&ServerConfig::set_training_root<const std::string&>)},
      {"log-level", text(&ServerConfig::set_log_level<const std::string&>)},
      {"config", [](const std::string& value, Flags& flags) { flags.config_file = value; }},
      {"port-file", [](const std::string& value, Flags& flags) { flags.port_file = value; }},
      {"health",
       [](const std::string& value, Flags& flags) {
         flags.mode = Flags::Mode::kHealth;
         flags.health_address = value;
       }},
      {"listen",
       [](const std::string& value, Flags& flags) {
         for (absl::string_view one : absl::StrSplit(value, ',', absl::SkipEmpty())) {
           flags.overrides.add_listen(std::string(one));
         }
       }},
  };
}

std::optional<Flags::Mode> ModeOf(const std::string& name) {
  static const std::map<std::string, Flags::Mode> kModes = {
      {"help", Flags::Mode::kHelp},
      {"print-config", Flags::Mode::kPrintConfig},
      {"check", Flags::Mode::kCheck},
  };
  const auto found = kModes.find(name);
  if (found == kModes.end()) return std::nullopt;
  return found->second;
}

}  // namespace

absl::StatusOr<Flags> ParseFlags(const std::vector<std::string>& arguments) {
  Flags flags;
  const auto setters = ValueFlags();
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string argument = arguments[i] == "-h" ? "--help" : arguments[i];
    if (!absl::StartsWith(argument, "--")) {
      return absl::InvalidArgumentError(absl::StrCat("'", argument, "' is not a flag"));
    }
    const std::pair<std::string, std::string> parts =
        absl::StrSplit(argument.substr(2), absl::MaxSplits('=', 1));
    const auto& [name, value] = parts;
    const bool has_value = argument.find('=') != std::string::npos;
    if (const auto mode = ModeOf(name); mode.has_value() && !has_value) {
      flags.mode = *mode;
      continue;
    }
    const auto setter = setters.find(name);
    if (setter == setters.end()) {
      return absl::InvalidArgumentError(absl::StrCat("unknown flag '--", name, "'"));
    }
    if (has_value) {
      setter->second(value, flags);
    } else if (i + 1 < arguments.size()) {
      setter->second(arguments[++i], flags);
    } else {
      return absl::InvalidArgumentError(absl::StrCat("'--", name, "' needs a value"));
    }
  }
  return flags;
}

std::string HelpText() { return kHelp; }

}  // namespace gwm::server
