#include "server/models/checkpoint_path.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "server/base/error.h"
#include "server/base/status.h"

namespace gwm::server {
namespace {

namespace fs = std::filesystem;

constexpr char kField[] = "checkpoint";

absl::Status NoSuchCheckpoint(const std::string& checkpoint) {
  return MakeError(absl::StatusCode::kNotFound,
                   absl::StrCat(kField, ": no checkpoint ", Quoted(checkpoint)),
                   {.reason = std::string(kUnknown), .field = kField});
}

bool IsBelow(const fs::path& path, const fs::path& base) {
  const auto [base_end, rest] = std::mismatch(base.begin(), base.end(), path.begin(), path.end());
  return base_end == base.end() && rest != path.end();
}

// Whether every link in the folder stays below `base`.
bool LinksStayBelow(const fs::path& folder, const fs::path& base) {
  std::error_code error;
  for (fs::recursive_directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    if (!entry->is_symlink(error)) continue;
    const fs::path target = fs::canonical(entry->path(), error);
    if (error || !IsBelow(target, base)) return false;
  }
  return !error;
}

}  // namespace

absl::StatusOr<std::string> ResolveCheckpoint(const std::string& root,
                                              const std::string& checkpoint) {
  if (root.empty()) {
    return Unsupported(kField, "this server has no checkpoint_root: it loads no models");
  }
  const absl::Status outside = BadField(
      kField, absl::StrCat(Quoted(checkpoint), "; a path below the checkpoint root is allowed"));
  const fs::path relative(checkpoint);
  if (checkpoint.empty() || checkpoint.find('\0') != std::string::npos || relative.is_absolute() ||
      std::find(relative.begin(), relative.end(), "..") != relative.end()) {
    return outside;
  }
  std::error_code error;
  const fs::path base = fs::canonical(root, error);
  if (error) return NoSuchCheckpoint(checkpoint);
  const fs::path folder = fs::canonical(base / relative, error);
  if (error) return NoSuchCheckpoint(checkpoint);
  if (!IsBelow(folder, base)) return outside;
  if (!fs::is_directory(folder, error)) return NoSuchCheckpoint(checkpoint);
  if (!LinksStayBelow(folder, base)) {
    return BadField(kField, absl::StrCat(Quoted(checkpoint),
                                         " holds a link; none that leads out of the checkpoint "
                                         "root is allowed"));
  }
  return folder.string();
}

uint64_t FolderBytes(const std::string& folder) {
  uint64_t bytes = 0;
  std::error_code error;
  for (fs::recursive_directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    const uint64_t size = entry->is_regular_file(error) ? entry->file_size(error) : 0;
    if (!error) bytes += size;
  }
  return bytes;
}

absl::Status WithoutPath(const absl::Status& status, const std::string& folder,
                         const std::string& checkpoint) {
  const std::string message =
      absl::StrReplaceAll(std::string(status.message()), {{folder, checkpoint}});
  return MakeError(status.code(), message, DetailsOf(status));
}

}  // namespace gwm::server
