// The folders that clients may have loaded: those below one root.
#ifndef GWM_SERVER_MODELS_CHECKPOINT_PATH_H_
#define GWM_SERVER_MODELS_CHECKPOINT_PATH_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace gwm::server {

// The folder below `root` that `checkpoint` names, with every link resolved. BAD_FIELD for a path
// that is empty, absolute, has "..", or leads out of the root, itself or by a link inside the
// folder; NotFound / UNKNOWN when there is no such folder. UNSUPPORTED when `root` is empty.
absl::StatusOr<std::string> ResolveCheckpoint(const std::string& root,
                                              const std::string& checkpoint);

// Of all files in the folder; 0 when it cannot be read.
uint64_t FolderBytes(const std::string& folder);

// The same status without the names of folders above the checkpoint, which is none of a client's
// business.
absl::Status WithoutPath(const absl::Status& status, const std::string& folder,
                         const std::string& checkpoint);

}  // namespace gwm::server

#endif  // GWM_SERVER_MODELS_CHECKPOINT_PATH_H_
