// Observation names <-> sets.
#ifndef GWM_SERVER_CONVERT_OBSERVATION_NAMES_H_
#define GWM_SERVER_CONVERT_OBSERVATION_NAMES_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "google/protobuf/repeated_ptr_field.h"
#include "server/session/observation.h"

namespace gwm::server {

// BAD_FIELD for a name that is not there.
absl::StatusOr<ObservationSet> ParseObservations(
    const google::protobuf::RepeatedPtrField<std::string>& names, const std::string& field);
std::vector<std::string> ObservationNames(ObservationSet set);

}  // namespace gwm::server

#endif  // GWM_SERVER_CONVERT_OBSERVATION_NAMES_H_
