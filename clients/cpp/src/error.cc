#include "gwm/error.h"

#include <string>
#include <utility>

namespace gwm::client {
namespace {

std::string Describe(const Error::Details& details) {
  std::string text = CodeName(details.code);
  if (!details.reason.empty()) text += "/" + details.reason;
  if (!details.field.empty()) text += " (" + details.field + ")";
  return text + ": " + details.message;
}

}  // namespace

const char* CodeName(Code code) {
  static constexpr const char* kNames[] = {"OK",
                                           "CANCELLED",
                                           "UNKNOWN",
                                           "INVALID_ARGUMENT",
                                           "DEADLINE_EXCEEDED",
                                           "NOT_FOUND",
                                           "ALREADY_EXISTS",
                                           "PERMISSION_DENIED",
                                           "RESOURCE_EXHAUSTED",
                                           "FAILED_PRECONDITION",
                                           "ABORTED",
                                           "OUT_OF_RANGE",
                                           "UNIMPLEMENTED",
                                           "INTERNAL",
                                           "UNAVAILABLE",
                                           "DATA_LOSS",
                                           "UNAUTHENTICATED"};
  const int index = static_cast<int>(code);
  return index >= 0 && index <= static_cast<int>(Code::kUnauthenticated) ? kNames[index]
                                                                         : "UNKNOWN";
}

Error::Error(Details details)
    : std::runtime_error(Describe(details)), details_(std::move(details)) {}
Error::~Error() = default;

}  // namespace gwm::client
