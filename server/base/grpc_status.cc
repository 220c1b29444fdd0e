#include "server/base/grpc_status.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace gwm::server {
namespace {

struct CodeRow {
  absl::StatusCode from;
  grpc::StatusCode to;
  std::string_view name;
  std::string_view reason;  // of a status that brings none
};

constexpr std::array kCodes = {
    CodeRow{absl::StatusCode::kOk, grpc::StatusCode::OK, "OK", ""},
    CodeRow{absl::StatusCode::kCancelled, grpc::StatusCode::CANCELLED, "CANCELLED", kCancelled},
    CodeRow{absl::StatusCode::kInvalidArgument, grpc::StatusCode::INVALID_ARGUMENT,
            "INVALID_ARGUMENT", kBadField},
    CodeRow{absl::StatusCode::kDeadlineExceeded, grpc::StatusCode::DEADLINE_EXCEEDED,
            "DEADLINE_EXCEEDED", kDeadline},
    CodeRow{absl::StatusCode::kNotFound, grpc::StatusCode::NOT_FOUND, "NOT_FOUND", kUnknown},
    CodeRow{absl::StatusCode::kAlreadyExists, grpc::StatusCode::ALREADY_EXISTS, "ALREADY_EXISTS",
            kBug},
    CodeRow{absl::StatusCode::kPermissionDenied, grpc::StatusCode::PERMISSION_DENIED,
            "PERMISSION_DENIED", kBug},
    CodeRow{absl::StatusCode::kUnauthenticated, grpc::StatusCode::UNAUTHENTICATED,
            "UNAUTHENTICATED", kBug},
    CodeRow{absl::StatusCode::kResourceExhausted, grpc::StatusCode::RESOURCE_EXHAUSTED,
            "RESOURCE_EXHAUSTED", kGpuMemory},
    CodeRow{absl::StatusCode::kFailedPrecondition, grpc::StatusCode::FAILED_PRECONDITION,
            "FAILED_PRECONDITION", kNeedsReset},
    CodeRow{absl::StatusCode::kAborted, grpc::StatusCode::ABORTED, "ABORTED", kStepConflict},
    CodeRow{absl::StatusCode::kOutOfRange, grpc::StatusCode::OUT_OF_RANGE, "OUT_OF_RANGE", kLimit},
    CodeRow{absl::StatusCode::kUnimplemented, grpc::StatusCode::UNIMPLEMENTED, "UNIMPLEMENTED",
            kUnsupported},
    CodeRow{absl::StatusCode::kUnavailable, grpc::StatusCode::UNAVAILABLE, "UNAVAILABLE",
            kDraining},
    CodeRow{absl::StatusCode::kDataLoss, grpc::StatusCode::DATA_LOSS, "DATA_LOSS", kNonFinite},
    CodeRow{absl::StatusCode::kInternal, grpc::StatusCode::INTERNAL, "INTERNAL", kBug},
};

const CodeRow& RowOf(absl::StatusCode code) {
  const auto row = std::find_if(kCodes.begin(), kCodes.end(),
                                [code](const CodeRow& entry) { return entry.from == code; });
  return row != kCodes.end() ? *row : kCodes.back();
}

std::string SerializedDetails(const CodeRow& row, const std::string& message,
                              const ErrorDetails& details) {
  google::rpc::Status out;
  out.set_code(row.to);
  out.set_message(message);
  google::rpc::ErrorInfo info;
  info.set_reason(details.reason.empty() ? std::string(row.reason) : details.reason);
  info.set_domain("gwm.v1");
  if (!details.phase.empty()) (*info.mutable_metadata())["phase"] = details.phase;
  out.add_details()->PackFrom(info);
  if (!details.field.empty()) {
    google::rpc::BadRequest bad_request;
    auto* violation = bad_request.add_field_violations();
    violation->set_field(details.field);
    violation->set_description(message);
    out.add_details()->PackFrom(bad_request);
  }
  if (details.retry_after.has_value()) {
    google::rpc::RetryInfo retry;
    const int64_t ms = absl::ToInt64Milliseconds(*details.retry_after);
    retry.mutable_retry_delay()->set_seconds(ms / 1000);
    retry.mutable_retry_delay()->set_nanos(static_cast<int>(ms % 1000) * 1'000'000);
    out.add_details()->PackFrom(retry);
  }
  return out.SerializeAsString();
}

}  // namespace

grpc::Status ToGrpcStatus(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  const CodeRow& row = RowOf(status.code());
  const bool internal = row.to == grpc::StatusCode::INTERNAL;
  const std::string message =
      internal ? "internal error; the server's log says more" : std::string(status.message());
  return grpc::Status(row.to, message, SerializedDetails(row, message, DetailsOf(status)));
}

std::string ReasonOf(const absl::Status& status) {
  const ErrorDetails details = DetailsOf(status);
  return details.reason.empty() ? std::string(RowOf(status.code()).reason) : details.reason;
}

std::string CodeName(grpc::StatusCode code) {
  const auto row = std::find_if(kCodes.begin(), kCodes.end(),
                                [code](const CodeRow& entry) { return entry.to == code; });
  return row != kCodes.end() ? std::string(row->name) : "UNKNOWN";
}

}  // namespace gwm::server
