// The command line of gwm-server.
#ifndef GWM_SERVER_BIN_FLAGS_H_
#define GWM_SERVER_BIN_FLAGS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "gwm/v1/config.pb.h"

namespace gwm::server {

struct Flags {
  enum class Mode { kServe, kHelp, kPrintConfig, kCheck, kHealth };
  Mode mode = Mode::kServe;
  std::string config_file;
  std::string port_file;
  std::string health_address;  // of Mode::kHealth
  v1::ServerConfig overrides;  // fields that flags set; they win over the file
};

// `arguments` without the program's name. "--flag=value" and "--flag value" are the same.
// InvalidArgument names the flag that is wrong.
absl::StatusOr<Flags> ParseFlags(const std::vector<std::string>& arguments);

// What --help prints.
std::string HelpText();

}  // namespace gwm::server

#endif  // GWM_SERVER_BIN_FLAGS_H_
