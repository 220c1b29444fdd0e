// gRPC status, with its google.rpc details, to Error.
#ifndef GWM_CLIENTS_CPP_SRC_STATUS_H_
#define GWM_CLIENTS_CPP_SRC_STATUS_H_

#include <grpcpp/client_context.h>
#include <grpcpp/support/status.h>

#include "gwm/error.h"

namespace gwm::client::internal {

// Details that cannot be parsed are left out; the code and the message always survive.
Error::Details DetailsFromStatus(const grpc::Status& status);

// The same, with the wait that the trailer grpc-retry-pushback-ms asks for when the details name
// none. `context`: that of the call, which has ended.
Error::Details DetailsOf(const grpc::Status& status, const grpc::ClientContext& context);

// Throws Error unless `status` is OK.
void ThrowUnlessOk(const grpc::Status& status);

}  // namespace gwm::client::internal

#endif  // GWM_CLIENTS_CPP_SRC_STATUS_H_
