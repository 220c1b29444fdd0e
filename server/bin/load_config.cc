#include "server/bin/load_config.h"

#include <fstream>
#include <sstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "server/base/status.h"
#include "server/convert/config.h"

namespace gwm::server {
namespace {

absl::StatusOr<v1::ServerConfig> ReadConfig(const std::string& path) {
  std::ifstream file(path);
  if (!file) return absl::NotFoundError(absl::StrCat("cannot read ", path));
  std::ostringstream text;
  text << file.rdbuf();
  auto config = ParseConfigText(text.str());
  if (!config.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": ", config.status().message()));
  }
  return config;
}

}  // namespace

absl::StatusOr<ServerOptions> LoadOptions(const Flags& flags) {
  v1::ServerConfig config;
  if (!flags.config_file.empty()) {
    ASSIGN_OR_RETURN(config, ReadConfig(flags.config_file));
  }
  if (!flags.overrides.listen().empty()) config.clear_listen();
  config.MergeFrom(flags.overrides);
  return FromProto(config);
}

}  // namespace gwm::server
