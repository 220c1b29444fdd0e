#include "server/convert/observation_names.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "server/base/error.h"

namespace gwm::server {

absl::StatusOr<ObservationSet> ParseObservations(
    const google::protobuf::RepeatedPtrField<std::string>& names, const std::string& field) {
  ObservationSet set = 0;
  for (int i = 0; i < names.size(); ++i) {
    const auto known =
        std::find_if(kObservations.begin(), kObservations.end(),
                     [&](const NamedObservation& one) { return one.name == names[i]; });
    if (known == kObservations.end()) {
      return BadField(absl::StrCat(field, "[", i, "]"),
                      absl::StrCat(Quoted(names[i]), "; rgb, depth, latent, features are allowed"));
    }
    set |= known->bit;
  }
  return set;
}

std::vector<std::string> ObservationNames(ObservationSet set) {
  std::vector<std::string> names;
  for (const NamedObservation& one : kObservations) {
    if (set & one.bit) names.emplace_back(one.name);
  }
  return names;
}

}  // namespace gwm::server
