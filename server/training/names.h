// Names that clients give to datasets, episodes, jobs and checkpoints: they become names of files.
#ifndef GWM_SERVER_TRAINING_NAMES_H_
#define GWM_SERVER_TRAINING_NAMES_H_

#include <algorithm>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "server/base/error.h"

namespace gwm::server {

// BAD_FIELD unless it has 1..64 letters, digits, '-', '_' or '.', and does not begin with '.'.
inline absl::Status CheckTrainingName(const std::string& name, const std::string& field) {
  constexpr size_t kMaxBytes = 64;
  const auto allowed = [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_' || c == '.';
  };
  if (!name.empty() && name.size() <= kMaxBytes && name.front() != '.' &&
      std::all_of(name.begin(), name.end(), allowed)) {
    return absl::OkStatus();
  }
  return BadField(field, absl::StrCat(Quoted(name),
                                      "; 1 to 64 letters, digits, '-', '_' or '.', no '.' first, "
                                      "are allowed"));
}

}  // namespace gwm::server

#endif  // GWM_SERVER_TRAINING_NAMES_H_
