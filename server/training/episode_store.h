// Datasets of episodes on disk: bounded, without doubles, and whole after any crash.
//
//   ROOT/DATASET/000000000000-101-101-89abcdef-ID.safetensors.zst   (episode_file.h)
//
// An episode is there once its file has its name, and never before. There is no index that could
// disagree with the files.
#ifndef GWM_SERVER_TRAINING_EPISODE_STORE_H_
#define GWM_SERVER_TRAINING_EPISODE_STORE_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "engine/io/episode.h"
#include "server/training/dataset.h"
#include "server/training/disk.h"

namespace gwm::server {

struct EpisodeStoreOptions {
  std::string root;
  uint64_t max_dataset_bytes = uint64_t{4} << 30;
  uint32_t max_datasets = 64;
  Disk* disk = nullptr;  // outlives the store
  // A file was set aside because it is not what was written; optional.
  std::function<void(const std::string& path, const absl::Status& why)> on_damaged;
};

// Thread-safe.
class EpisodeStore {
 public:
  // Reads every file, for its checksum; those that are damaged get another name and are left out.
  // The disk's error when the folder cannot be made or listed.
  static absl::StatusOr<std::unique_ptr<EpisodeStore>> Open(EpisodeStoreOptions options);

  // Whether it is new; false: an episode of this id is there, and nothing has changed. Both names
  // are as CheckTrainingName asks. BAD_TENSOR for other sizes than the dataset's; OUT_OF_RANGE /
  // LIMIT for one that is larger than a dataset may be; QUOTA for one dataset too many; DISK_FULL.
  absl::StatusOr<bool> Append(const std::string& dataset, const std::string& id,
                              const io::Episode& episode) ABSL_LOCKS_EXCLUDED(writing_, mutex_);
  // NotFound / UNKNOWN_DATASET.
  absl::StatusOr<DatasetInfo> Get(const std::string& dataset) const ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status Delete(const std::string& dataset) ABSL_LOCKS_EXCLUDED(writing_, mutex_);

  // Those with this number or a greater one, oldest first. Empty for an unknown dataset.
  std::vector<EpisodeFile> Since(const std::string& dataset, uint64_t number) const
      ABSL_LOCKS_EXCLUDED(mutex_);
  // NotFound when it was dropped meanwhile; DataLoss when the file is damaged.
  absl::StatusOr<io::Episode> Read(const std::string& dataset, const EpisodeFile& file) const;

 private:
  explicit EpisodeStore(EpisodeStoreOptions options) : options_(std::move(options)) {}
  std::string FolderOf(const std::string& dataset) const { return options_.root + "/" + dataset; }
  std::string PathOf(const std::string& dataset, const EpisodeFile& file) const {
    return FolderOf(dataset) + "/" + FileNameOf(file);
  }
  absl::Status LoadDataset(const std::string& name);
  // Its bytes are what was written.
  absl::Status Check(const std::string& name, EpisodeFile& file, Dataset& dataset) const;
  void SetAside(const std::string& path, const absl::Status& why) const;
  absl::Status CheckRoom(const std::string& dataset, const io::Episode& episode) const
      ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<EpisodeFile> Write(const std::string& dataset, const std::string& id,
                                    const io::Episode& episode) ABSL_LOCKS_EXCLUDED(mutex_);
  // Out of the books; returns the files to remove.
  std::vector<EpisodeFile> DropBeyondLimit(Dataset& dataset) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const EpisodeStoreOptions options_;
  absl::Mutex writing_ ABSL_ACQUIRED_BEFORE(mutex_);  // one writer at a time
  mutable absl::Mutex mutex_;
  std::map<std::string, Dataset> datasets_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace gwm::server

#endif  // GWM_SERVER_TRAINING_EPISODE_STORE_H_
