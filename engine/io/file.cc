#include "engine/io/file.h"

// Plain system calls, not std::filesystem: the Torch wheel exports a copy of that of its own, which
// takes its place in programs that link Torch and does not fit this compiler's headers.
#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"

namespace gwm::io {
namespace {

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }
  // Closes now, so that the caller sees a late write error. 0 or errno.
  int Close() { return ::close(std::exchange(fd_, -1)) == 0 ? 0 : errno; }

 private:
  int fd_;
};

struct CloseFolder {
  void operator()(DIR* folder) const { ::closedir(folder); }
};

absl::StatusCode CodeOf(int error_number) {
  switch (error_number) {
    case ENOENT:
    case ENOTDIR:
      return absl::StatusCode::kNotFound;
    case EEXIST:
      return absl::StatusCode::kAlreadyExists;
    case EACCES:
    case EPERM:
    case EROFS:
      return absl::StatusCode::kPermissionDenied;
    case ENOSPC:
    case EDQUOT:
    case EMFILE:
    case ENFILE:
    case EFBIG:
      return absl::StatusCode::kResourceExhausted;
    case EISDIR:
    case ENAMETOOLONG:
    case EINVAL:
      return absl::StatusCode::kInvalidArgument;
    default:
      return absl::StatusCode::kUnknown;
  }
}

std::string FolderOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

// Opens a new file beside `path`; its name goes to `temporary`. A leftover of a killed process is
// passed over.
int OpenTemporary(const std::string& path, std::string& temporary) {
  for (int attempt = 0;; ++attempt) {
    temporary = absl::StrCat(path, ".tmp.", ::getpid(), ".", attempt);
    const int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd >= 0 || errno != EEXIST) return fd;
  }
}

// 0 or errno.
int WriteAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      return errno;
    }
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return 0;
}

absl::Status SyncFolder(const std::string& folder) {
  Descriptor descriptor(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (descriptor.get() < 0) return ErrnoStatus(errno, "cannot open the folder", folder);
  // Some network file systems refuse to sync a folder; the rename itself has happened.
  if (::fsync(descriptor.get()) != 0 && errno != EINVAL) {
    return ErrnoStatus(errno, "cannot sync the folder", folder);
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ErrnoStatus(int error_number, std::string_view what, const std::string& path) {
  return absl::Status(CodeOf(error_number),
                      absl::StrCat(std::string(what), ": ",
                                   std::generic_category().message(error_number), ": ", path));
}

absl::StatusOr<std::string> ReadFile(const std::string& path, size_t max_bytes) {
  // Non-blocking, so that opening a pipe without a writer returns.
  Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.get() < 0) return ErrnoStatus(errno, "cannot open", path);
  struct stat info = {};
  if (::fstat(file.get(), &info) != 0) return ErrnoStatus(errno, "cannot read", path);
  if (!S_ISREG(info.st_mode)) {
    return absl::InvalidArgumentError(absl::StrCat("not a regular file: ", path));
  }
  const size_t size = static_cast<size_t>(info.st_size);
  if (size > max_bytes) {
    return absl::ResourceExhaustedError(
        absl::StrCat("file of ", size, " bytes, at most ", max_bytes, " are allowed: ", path));
  }
  std::string bytes(size, '\0');
  size_t done = 0;
  while (done < size) {
    const ssize_t got = ::read(file.get(), bytes.data() + done, size - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return ErrnoStatus(errno, "cannot read", path);
    if (got == 0) break;
    done += static_cast<size_t>(got);
  }
  bytes.resize(done);
  return bytes;
}

absl::Status WriteFileAtomic(const std::string& path, std::string_view bytes) {
  std::string temporary;
  Descriptor file(OpenTemporary(path, temporary));
  if (file.get() < 0) return ErrnoStatus(errno, "cannot create", temporary);
  int error = WriteAll(file.get(), bytes);
  if (error == 0 && ::fsync(file.get()) != 0) error = errno;
  if (const int close_error = file.Close(); error == 0) error = close_error;
  if (error == 0 && std::rename(temporary.c_str(), path.c_str()) != 0) error = errno;
  if (error != 0) {
    ::unlink(temporary.c_str());
    return ErrnoStatus(error, "cannot write", path);
  }
  return SyncFolder(FolderOf(path));
}

absl::Status MakeDirectories(const std::string& path) {
  for (size_t end = path.find('/', 1); !path.empty(); end = path.find('/', end + 1)) {
    const std::string folder = path.substr(0, end);
    struct stat info = {};
    if (::mkdir(folder.c_str(), 0777) != 0) {
      const int error = errno;
      // Also where making it fails for another reason (a read-only parent), an existing folder will
      // do.
      const bool exists = ::stat(folder.c_str(), &info) == 0;
      if (!exists) return ErrnoStatus(error, "cannot create the folder", folder);
      if (!S_ISDIR(info.st_mode)) return ErrnoStatus(ENOTDIR, "cannot create the folder", folder);
    }
    if (end == std::string::npos) break;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> ListFiles(const std::string& root) {
  std::vector<std::string> files;
  std::vector<std::string> folders = {root};
  while (!folders.empty()) {
    const std::string folder = std::move(folders.back());
    folders.pop_back();
    const std::unique_ptr<DIR, CloseFolder> open(::opendir(folder.c_str()));
    if (open == nullptr) return ErrnoStatus(errno, "cannot list the folder", folder);
    while (const dirent* entry = ::readdir(open.get())) {
      const std::string_view name = entry->d_name;
      if (name == "." || name == "..") continue;
      const std::string path =
          absl::StrCat(folder, folder.ends_with('/') ? "" : "/", entry->d_name);
      struct stat info = {};
      if (::lstat(path.c_str(), &info) != 0) continue;
      if (S_ISDIR(info.st_mode)) folders.push_back(path);
      if (S_ISLNK(info.st_mode) && ::stat(path.c_str(), &info) != 0) continue;
      if (S_ISREG(info.st_mode)) files.push_back(path);
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

absl::StatusOr<std::unique_ptr<FileLock>> FileLock::Acquire(const std::string& path) {
  Descriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666));
  if (file.get() < 0) return ErrnoStatus(errno, "cannot open the lock", path);
  if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) {
      return absl::FailedPreconditionError(absl::StrCat("in use by another process: ", path));
    }
    return ErrnoStatus(errno, "cannot lock", path);
  }
  const int kept = ::fcntl(file.get(), F_DUPFD_CLOEXEC, 0);
  if (kept < 0) return ErrnoStatus(errno, "cannot lock", path);
  return std::unique_ptr<FileLock>(new FileLock(kept));
}

FileLock::~FileLock() { ::close(descriptor_); }

}  // namespace gwm::io
