// The one place where exceptions become statuses. Inside the engine Torch code may throw; every
// engine/api function runs its body through CatchTorch, so that no exception reaches a caller.
//
//   return CatchTorch("Step", [&]() -> absl::StatusOr<Rows> { ... });
#ifndef GWM_ENGINE_BASE_CATCH_TORCH_H_
#define GWM_ENGINE_BASE_CATCH_TORCH_H_

#include <string_view>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"

namespace gwm {

// The status of the exception that is being handled; call it from a catch block only. Without a
// backtrace.
//   out of memory (device, host)       -> ResourceExhausted
//   index, value, type, shape errors   -> InvalidArgument
//   not implemented                    -> Unimplemented
//   CUDA errors that stay              -> Unavailable: the device is lost
//   anything else                      -> Internal
// `what` names the operation and starts the message.
absl::Status StatusOfCurrentException(std::string_view what);

// Calls `body`, which returns absl::Status or absl::StatusOr<T>, and turns whatever it throws into
// a status.
template <typename Body>
std::invoke_result_t<Body> CatchTorch(std::string_view what, Body&& body) {
  try {
    return std::forward<Body>(body)();
  } catch (...) {
    return StatusOfCurrentException(what);
  }
}

}  // namespace gwm

#endif  // GWM_ENGINE_BASE_CATCH_TORCH_H_
