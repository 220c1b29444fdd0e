// Whole files in and out: checked reads, atomic writes, folders and a lock between processes.
#ifndef GWM_ENGINE_IO_FILE_H_
#define GWM_ENGINE_IO_FILE_H_

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace gwm::io {

// The status of a failed system call: NotFound, AlreadyExists, PermissionDenied, ResourceExhausted
// (disk full, too many files) or Unknown. The message is "what: reason: path".
absl::Status ErrnoStatus(int error_number, std::string_view what, const std::string& path);

// The bytes of a regular file. NotFound, PermissionDenied, InvalidArgument for a folder, pipe or
// device, ResourceExhausted when the file is larger than `max_bytes`.
absl::StatusOr<std::string> ReadFile(const std::string& path, size_t max_bytes = size_t{16} << 30);

// Replaces `path` as a whole: temporary file beside it, fsync, rename, fsync of the folder. After a
// crash at any point the old or the new content is there. The folder must exist.
absl::Status WriteFileAtomic(const std::string& path, std::string_view bytes);

// Like mkdir -p.
absl::Status MakeDirectories(const std::string& path);

// Paths of all regular files below the folder `root` (and links to such files), sorted. Links to
// folders are not followed. NotFound, PermissionDenied.
absl::StatusOr<std::vector<std::string>> ListFiles(const std::string& root);

// Holds an exclusive lock between processes for as long as it lives; a killed process lets go of
// it.
class FileLock {
 public:
  // Creates `path` when needed. FailedPrecondition when another process (or another FileLock) holds
  // it.
  static absl::StatusOr<std::unique_ptr<FileLock>> Acquire(const std::string& path);
  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  explicit FileLock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
};

}  // namespace gwm::io

#endif  // GWM_ENGINE_IO_FILE_H_
