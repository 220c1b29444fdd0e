// Files of learner state: safetensors with a format name and a checksum in the metadata.
#ifndef GWM_CLIENTS_BASE_STATE_FILE_H_
#define GWM_CLIENTS_BASE_STATE_FILE_H_

#include <torch/torch.h>

#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace gwm::clients {

struct StateFile {
  std::map<std::string, torch::Tensor> tensors;  // on the CPU: u8, i64, f32 or f64
  std::map<std::string, std::string> metadata;
};

// Replaces `path` as a whole (temporary file, fsync, rename): after a crash at any point the old or
// the new content is there. The metadata keys "format" and "crc32c" are this function's own. Needs
// about twice the tensors' bytes beside them. InvalidArgument for a tensor of another type;
// statuses of the file system.
absl::Status WriteStateFile(const std::string& path, const std::string& format,
                            const StateFile& state);

// NotFound; InvalidArgument for a torn or changed file, and for one of another format.
absl::StatusOr<StateFile> ReadStateFile(const std::string& path, const std::string& format);

}  // namespace gwm::clients

#endif  // GWM_CLIENTS_BASE_STATE_FILE_H_
