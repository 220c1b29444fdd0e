#include "engine/io/folder_edit.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "engine/io/file.h"

namespace gwm::io {
namespace {

namespace fs = std::filesystem;

absl::Status SyncFolder(const std::string& path) {
  const int descriptor = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return ErrnoStatus(errno, "opening folder", path);
  const int result = fsync(descriptor);
  const int error = errno;
  close(descriptor);
  return result == 0 ? absl::OkStatus() : ErrnoStatus(error, "writing folder", path);
}

std::string WithoutTrailingSlash(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

}  // namespace

FolderEdit::FolderEdit(std::string path) : path_(std::move(path)) {
  const fs::path target(path_);
  staged_ = (target.parent_path() / ("." + target.filename().string() + ".staged")).string();
}

FolderEdit::~FolderEdit() {
  std::error_code ignored;
  fs::remove_all(staged_, ignored);
}

absl::StatusOr<std::unique_ptr<FolderEdit>> FolderEdit::Begin(const std::string& path) {
  std::unique_ptr<FolderEdit> edit(new FolderEdit(WithoutTrailingSlash(path)));
  std::error_code error;
  fs::remove_all(edit->staged_, error);
  if (error) return ErrnoStatus(error.value(), "removing folder", edit->staged_);
  if (auto status = MakeDirectories(edit->staged_); !status.ok()) return status;
  if (!fs::exists(edit->path_)) return edit;
  fs::copy(edit->path_, edit->staged_,
           fs::copy_options::recursive | fs::copy_options::create_hard_links, error);
  if (error) return ErrnoStatus(error.value(), "copying folder", edit->path_);
  return edit;
}

absl::Status FolderEdit::Commit() {
  if (auto status = SyncFolder(staged_); !status.ok()) return status;
  const bool exists = fs::exists(path_);
  const int result = renameat2(AT_FDCWD, staged_.c_str(), AT_FDCWD, path_.c_str(),
                               exists ? RENAME_EXCHANGE : RENAME_NOREPLACE);
  if (result != 0) return ErrnoStatus(errno, "replacing folder", path_);
  const auto parent = fs::path(path_).parent_path().string();
  if (auto status = SyncFolder(parent.empty() ? "." : parent); !status.ok()) return status;
  if (!exists) return absl::OkStatus();
  std::error_code error;
  fs::remove_all(staged_, error);
  return error ? ErrnoStatus(error.value(), "removing folder", staged_) : absl::OkStatus();
}

}  // namespace gwm::io
