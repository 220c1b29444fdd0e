// The one exception type of the client library.
#ifndef GWM_ERROR_H_
#define GWM_ERROR_H_

#include <chrono>
#include <stdexcept>
#include <string>

#include "gwm/export.h"

namespace gwm::client {

// Numbers as in google.rpc.Code.
enum class Code {
  kOk = 0,
  kCancelled = 1,
  kUnknown = 2,
  kInvalidArgument = 3,
  kDeadlineExceeded = 4,
  kNotFound = 5,
  kAlreadyExists = 6,
  kPermissionDenied = 7,
  kResourceExhausted = 8,
  kFailedPrecondition = 9,
  kAborted = 10,
  kOutOfRange = 11,
  kUnimplemented = 12,
  kInternal = 13,
  kUnavailable = 14,
  kDataLoss = 15,
  kUnauthenticated = 16,
};

// "INVALID_ARGUMENT", ...
GWM_CLIENT_EXPORT const char* CodeName(Code code);

// Thrown by every call that fails. what() reads "INVALID_ARGUMENT/BAD_TENSOR (actions): ...".
class GWM_CLIENT_EXPORT Error : public std::runtime_error {
 public:
  struct Details {
    Code code = Code::kUnknown;
    std::string reason;   // "BAD_TENSOR", "NEEDS_RESET", ...; empty when the server gave none
    std::string field;    // path of the offending request field; empty when none
    std::string message;  // for people
    // How long the server asks to wait before another try; negative: it did not say that a retry
    // helps; milliseconds::max(): it asks for none.
    std::chrono::milliseconds retry_after{-1};
  };
  explicit Error(Details details);
  ~Error() override;
  Error(const Error&) = default;

  Code code() const { return details_.code; }
  const std::string& reason() const { return details_.reason; }
  const std::string& field() const { return details_.field; }
  const std::string& message() const { return details_.message; }
  // True when the same call may succeed later.
  bool retriable() const { return details_.retry_after.count() >= 0; }
  std::chrono::milliseconds retry_after() const { return details_.retry_after; }

 private:
  Details details_;
};

}  // namespace gwm::client

#endif  // GWM_ERROR_H_
