// What a request says about its call: who calls, and how urgent it is.
#ifndef GWM_SERVER_CONVERT_CALL_CONTEXT_H_
#define GWM_SERVER_CONVERT_CALL_CONTEXT_H_

#include <string>

#include "absl/status/status.h"
#include "gwm/v1/session.pb.h"
#include "server/base/options.h"
#include "server/schedule/call_handle.h"

namespace gwm::server {

// What a client calls itself or its call: up to 64 printable ASCII characters; may be empty.
absl::Status CheckName(const std::string& name, const std::string& field);

// Client and priority of the call. InvalidArgument / BAD_FIELD names the field.
absl::Status ApplyContext(const v1::RequestContext& context, const Limits& limits,
                          CallHandle& call);

// Of any request: those without a context change nothing.
template <typename Request>
absl::Status ApplyContextOf(const Request& request, const Limits& limits, CallHandle& call) {
  if constexpr (requires { request.context(); }) {
    return ApplyContext(request.context(), limits, call);
  } else {
    return absl::OkStatus();
  }
}

}  // namespace gwm::server

#endif  // GWM_SERVER_CONVERT_CALL_CONTEXT_H_
