// The one place where an absl::Status becomes what goes over the wire.
#ifndef GWM_SERVER_BASE_GRPC_STATUS_H_
#define GWM_SERVER_BASE_GRPC_STATUS_H_

#include <grpcpp/support/status.h>

#include <string>

#include "absl/status/status.h"
#include "server/base/error.h"

namespace gwm::server {

// The status with google.rpc.ErrorInfo and, where they apply, BadRequest and RetryInfo as details.
// Every error has a reason: one that came without (from the engine, say) gets that of its code.
// UNKNOWN becomes INTERNAL. The text of an internal error stays in the server.
grpc::Status ToGrpcStatus(const absl::Status& status);

// The reason that ToGrpcStatus would send; empty for OK.
std::string ReasonOf(const absl::Status& status);

// "INVALID_ARGUMENT", ...: for metrics and logs.
std::string CodeName(grpc::StatusCode code);

}  // namespace gwm::server

#endif  // GWM_SERVER_BASE_GRPC_STATUS_H_
