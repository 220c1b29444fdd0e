// Errors with what a program needs to react: a reason, the field at fault, when to retry. They
// travel as payloads of absl::Status through the server and become google.rpc details in
// grpc_status.h.
#ifndef GWM_SERVER_BASE_ERROR_H_
#define GWM_SERVER_BASE_ERROR_H_

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace gwm::server {

// Reasons as the head of simulator.proto lists them.
inline constexpr std::string_view kBadTensor = "BAD_TENSOR";
inline constexpr std::string_view kBadField = "BAD_FIELD";
inline constexpr std::string_view kUnknown = "UNKNOWN";
inline constexpr std::string_view kExpired = "EXPIRED";
inline constexpr std::string_view kEvicted = "EVICTED";
inline constexpr std::string_view kServerRestarted = "SERVER_RESTARTED";
inline constexpr std::string_view kNeedsReset = "NEEDS_RESET";
inline constexpr std::string_view kClosed = "CLOSED";
inline constexpr std::string_view kLimit = "LIMIT";
inline constexpr std::string_view kStepConflict = "STEP_CONFLICT";
inline constexpr std::string_view kOverloaded = "OVERLOADED";
inline constexpr std::string_view kQuota = "QUOTA";
inline constexpr std::string_view kGpuMemory = "GPU_MEMORY";
inline constexpr std::string_view kDeadline = "DEADLINE";
inline constexpr std::string_view kCancelled = "CANCELLED";
inline constexpr std::string_view kSlowReader = "SLOW_READER";
inline constexpr std::string_view kDraining = "DRAINING";
inline constexpr std::string_view kDeviceLost = "DEVICE_LOST";
inline constexpr std::string_view kUnsupported = "UNSUPPORTED";
inline constexpr std::string_view kNonFinite = "NON_FINITE";
inline constexpr std::string_view kStateCorrupt = "STATE_CORRUPT";
inline constexpr std::string_view kStateMismatch = "STATE_MISMATCH";
inline constexpr std::string_view kModelUnloaded = "MODEL_UNLOADED";
inline constexpr std::string_view kModelDraining = "MODEL_DRAINING";
inline constexpr std::string_view kModelInUse = "MODEL_IN_USE";
inline constexpr std::string_view kBadCheckpoint = "BAD_CHECKPOINT";
// Those of trainer.proto.
inline constexpr std::string_view kUnknownJob = "UNKNOWN_JOB";
inline constexpr std::string_view kUnknownDataset = "UNKNOWN_DATASET";
inline constexpr std::string_view kUnknownCheckpoint = "UNKNOWN_CHECKPOINT";
inline constexpr std::string_view kJobExists = "JOB_EXISTS";
inline constexpr std::string_view kJobEnded = "JOB_ENDED";
inline constexpr std::string_view kJobRunning = "JOB_RUNNING";
inline constexpr std::string_view kCheckpointExists = "CHECKPOINT_EXISTS";
inline constexpr std::string_view kDiskFull = "DISK_FULL";
inline constexpr std::string_view kNoData = "NO_DATA";
inline constexpr std::string_view kBug = "BUG";

struct ErrorDetails {
  std::string reason;  // empty: grpc_status.h derives one from the code
  std::string field;   // path in the request; empty: no field is at fault
  std::string phase;   // QUEUED or RUNNING, of deadlines and cancellations
  std::optional<absl::Duration> retry_after;
};

// Messages are cut at 512 bytes: they travel in trailers, whose size is limited.
absl::Status MakeError(absl::StatusCode code, std::string_view message,
                       const ErrorDetails& details);
// Empty details for a status that MakeError did not make.
ErrorDetails DetailsOf(const absl::Status& status);

// The frequent ones. Messages say what is wrong, the value, and what is allowed.
absl::Status BadTensor(std::string_view field, std::string_view message);
absl::Status BadField(std::string_view field, std::string_view message);
absl::Status BeyondLimit(std::string_view field, std::string_view message);
absl::Status Unsupported(std::string_view field, std::string_view message);
absl::Status StepConflict(std::string_view field, std::string_view message);
// Unavailable / DRAINING: the server is shutting down; another one may be there in a second.
absl::Status DrainingError();

// The value in quotes for a message: ASCII, at most 64 bytes of it.
std::string Quoted(std::string_view value);

}  // namespace gwm::server

#endif  // GWM_SERVER_BASE_ERROR_H_
