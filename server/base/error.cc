#include "server/base/error.h"

#include "absl/strings/cord.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace gwm::server {
namespace {

constexpr char kReasonUrl[] = "gwm.v1/reason";
constexpr char kFieldUrl[] = "gwm.v1/field";
constexpr char kPhaseUrl[] = "gwm.v1/phase";
constexpr char kRetryUrl[] = "gwm.v1/retry_ms";
constexpr size_t kMaxMessageBytes = 512;
constexpr size_t kMaxQuotedBytes = 64;

absl::string_view View(std::string_view text) { return {text.data(), text.size()}; }

std::string Payload(const absl::Status& status, const char* url) {
  const auto payload = status.GetPayload(url);
  return payload.has_value() ? std::string(*payload) : std::string();
}

absl::Status FieldError(absl::StatusCode code, std::string_view reason, std::string_view field,
                        std::string_view message) {
  return MakeError(code, absl::StrCat(View(field), ": ", View(message)),
                   {.reason = std::string(reason), .field = std::string(field)});
}

}  // namespace

absl::Status MakeError(absl::StatusCode code, std::string_view message,
                       const ErrorDetails& details) {
  absl::Status status(code, View(message.substr(0, kMaxMessageBytes)));
  if (!details.reason.empty()) status.SetPayload(kReasonUrl, absl::Cord(details.reason));
  if (!details.field.empty()) status.SetPayload(kFieldUrl, absl::Cord(details.field));
  if (!details.phase.empty()) status.SetPayload(kPhaseUrl, absl::Cord(details.phase));
  if (details.retry_after.has_value()) {
    const int64_t ms = absl::ToInt64Milliseconds(*details.retry_after);
    status.SetPayload(kRetryUrl, absl::Cord(absl::StrCat(ms)));
  }
  return status;
}

ErrorDetails DetailsOf(const absl::Status& status) {
  ErrorDetails details{.reason = Payload(status, kReasonUrl),
                       .field = Payload(status, kFieldUrl),
                       .phase = Payload(status, kPhaseUrl)};
  int64_t retry_ms = 0;
  if (absl::SimpleAtoi(Payload(status, kRetryUrl), &retry_ms)) {
    details.retry_after = absl::Milliseconds(retry_ms);
  }
  return details;
}

absl::Status BadTensor(std::string_view field, std::string_view message) {
  return FieldError(absl::StatusCode::kInvalidArgument, kBadTensor, field, message);
}
absl::Status BadField(std::string_view field, std::string_view message) {
  return FieldError(absl::StatusCode::kInvalidArgument, kBadField, field, message);
}
absl::Status BeyondLimit(std::string_view field, std::string_view message) {
  return FieldError(absl::StatusCode::kOutOfRange, kLimit, field, message);
}
absl::Status Unsupported(std::string_view field, std::string_view message) {
  return FieldError(absl::StatusCode::kUnimplemented, kUnsupported, field, message);
}
absl::Status StepConflict(std::string_view field, std::string_view message) {
  return FieldError(absl::StatusCode::kAborted, kStepConflict, field, message);
}

absl::Status DrainingError() {
  return MakeError(absl::StatusCode::kUnavailable, "the server is shutting down",
                   {.reason = std::string(kDraining), .retry_after = absl::Seconds(1)});
}

std::string Quoted(std::string_view value) {
  const bool cut = value.size() > kMaxQuotedBytes;
  return absl::StrCat("\"", absl::CEscape(View(value.substr(0, kMaxQuotedBytes))),
                      cut ? "...\"" : "\"");
}

}  // namespace gwm::server
