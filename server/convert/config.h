// Settings: wire and file form <-> plain values.
#ifndef GWM_SERVER_CONVERT_CONFIG_H_
#define GWM_SERVER_CONVERT_CONFIG_H_

#include <string>

#include "absl/status/statusor.h"
#include "gwm/v1/config.pb.h"
#include "gwm/v1/server.pb.h"
#include "server/base/options.h"

namespace gwm::server {

v1::Limits ToProto(const Limits& limits);
v1::ServerConfig ToProto(const ServerOptions& options);

// Fields that are absent or 0 keep their defaults. BAD_FIELD names a field whose value cannot be.
absl::StatusOr<Limits> FromProto(const v1::Limits& limits);
absl::StatusOr<ServerOptions> FromProto(const v1::ServerConfig& config);
// BAD_FIELD. Fields that are absent are those of `defaults`.
absl::StatusOr<DrainTimes> FromProto(const v1::DrainRequest& request, const DrainTimes& defaults);

// Text format. InvalidArgument with line and column for anything that does not parse; an unknown
// field does not.
absl::StatusOr<v1::ServerConfig> ParseConfigText(const std::string& text);
std::string ConfigText(const v1::ServerConfig& config);

}  // namespace gwm::server

#endif  // GWM_SERVER_CONVERT_CONFIG_H_
