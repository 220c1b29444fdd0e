// The few things that training asks of a file system, so that a test can make each of them fail.
#ifndef GWM_SERVER_TRAINING_DISK_H_
#define GWM_SERVER_TRAINING_DISK_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace gwm::server {

// Thread-safe. Errors as in engine/io/file.h: NotFound, ResourceExhausted for a full disk, ...
class Disk {
 public:
  virtual ~Disk() = default;

  virtual absl::StatusOr<std::string> Read(const std::string& path) = 0;
  // The whole file or, after an error or a crash, what was there before; on the disk when it
  // returns. The folder must exist.
  virtual absl::Status Write(const std::string& path, std::string_view bytes) = 0;
  // A file or a folder; replaces a file.
  virtual absl::Status Rename(const std::string& from, const std::string& to) = 0;
  // A file or a folder with all that is in it. OK when there is none.
  virtual absl::Status Remove(const std::string& path) = 0;
  // Names of what lies in the folder, sorted.
  virtual absl::StatusOr<std::vector<std::string>> List(const std::string& folder) = 0;
  virtual absl::Status MakeFolders(const std::string& path) = 0;
  virtual bool Exists(const std::string& path) = 0;
};

// That of the machine.
std::unique_ptr<Disk> MakeDisk();

}  // namespace gwm::server

#endif  // GWM_SERVER_TRAINING_DISK_H_
