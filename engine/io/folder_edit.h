// Several files of a folder changed as one: after a crash at any point the old or the new folder is
// there, never a mixture.
#ifndef GWM_ENGINE_IO_FOLDER_EDIT_H_
#define GWM_ENGINE_IO_FOLDER_EDIT_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace gwm::io {

// Thread-compatible; one edit of a folder at a time.
class FolderEdit {
 public:
  // Starts from what is in `path` (hard links), or from nothing. Removes what a killed edit left
  // behind. PermissionDenied, ResourceExhausted, ...
  static absl::StatusOr<std::unique_ptr<FolderEdit>> Begin(const std::string& path);
  // Without a Commit the folder stays as it was.
  ~FolderEdit();
  FolderEdit(const FolderEdit&) = delete;
  FolderEdit& operator=(const FolderEdit&) = delete;

  // Where to write, by WriteFileAtomic only: a file written in place would change the old folder's.
  const std::string& staged() const { return staged_; }
  // Exchanges the two folders in one step and removes the old one.
  absl::Status Commit();

 private:
  explicit FolderEdit(std::string path);
  std::string path_;
  std::string staged_;
};

}  // namespace gwm::io

#endif  // GWM_ENGINE_IO_FOLDER_EDIT_H_
