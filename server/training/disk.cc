#include "server/training/disk.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "engine/io/file.h"

namespace gwm::server {
namespace {

namespace fs = std::filesystem;

absl::Status Result(const std::error_code& error, std::string_view what, const std::string& path) {
  return error ? io::ErrnoStatus(error.value(), what, path) : absl::OkStatus();
}

class MachineDisk final : public Disk {
 public:
  absl::StatusOr<std::string> Read(const std::string& path) override { return io::ReadFile(path); }
  absl::Status Write(const std::string& path, std::string_view bytes) override {
    return io::WriteFileAtomic(path, bytes);
  }
  absl::Status Rename(const std::string& from, const std::string& to) override {
    std::error_code error;
    fs::rename(from, to, error);
    return Result(error, "cannot rename", from);
  }
  absl::Status Remove(const std::string& path) override {
    std::error_code error;
    fs::remove_all(path, error);
    return Result(error, "cannot remove", path);
  }
  absl::StatusOr<std::vector<std::string>> List(const std::string& folder) override {
    std::vector<std::string> names;
    std::error_code error;
    for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
         entry.increment(error)) {
      names.push_back(entry->path().filename().string());
    }
    if (error) return io::ErrnoStatus(error.value(), "cannot read the folder", folder);
    std::sort(names.begin(), names.end());
    return names;
  }
  absl::Status MakeFolders(const std::string& path) override { return io::MakeDirectories(path); }
  bool Exists(const std::string& path) override {
    std::error_code error;
    return fs::exists(path, error);
  }
};

}  // namespace

std::unique_ptr<Disk> MakeDisk() { return std::make_unique<MachineDisk>(); }

}  // namespace gwm::server
