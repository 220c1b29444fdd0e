// Times: wire <-> absl.
#ifndef GWM_SERVER_CONVERT_DURATION_H_
#define GWM_SERVER_CONVERT_DURATION_H_

#include <optional>

#include "absl/time/time.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/timestamp.pb.h"

namespace gwm::server {

google::protobuf::Duration ToProto(absl::Duration duration);
google::protobuf::Timestamp ToProto(absl::Time time);
// Absent for a message that breaks the rules of google.protobuf.Duration (range, signs).
std::optional<absl::Duration> FromProto(const google::protobuf::Duration& duration);

}  // namespace gwm::server

#endif  // GWM_SERVER_CONVERT_DURATION_H_
