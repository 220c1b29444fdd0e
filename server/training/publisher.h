// From a folder that a trainer wrote to a model that is served, and out of service again.
#ifndef GWM_SERVER_TRAINING_PUBLISHER_H_
#define GWM_SERVER_TRAINING_PUBLISHER_H_

#include <functional>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "server/models/model_registry.h"
#include "server/training/checkpoint_table.h"

namespace gwm::server {

struct PublisherOptions {
  std::string checkpoint_root;
  size_t max_checkpoints = 64;
  Disk* disk = nullptr;  // these outlive the publisher
  ModelRegistry* models = nullptr;
  CheckpointTable* table = nullptr;
};

// Thread-safe. Waits for the registry: not for RPC threads nor the device thread.
class Publisher {
 public:
  explicit Publisher(PublisherOptions options) : options_(std::move(options)) {}

  // Where a checkpoint of this name is to be written.
  std::string FolderOf(const std::string& checkpoint) const {
    return options_.checkpoint_root + "/" + checkpoint;
  }
  // Of the checkpoint in a folder.
  absl::StatusOr<std::string> DigestOf(const std::string& folder) const;
  // ALREADY_EXISTS / CHECKPOINT_EXISTS; RESOURCE_EXHAUSTED / QUOTA.
  absl::Status CheckFree(const std::string& checkpoint) const;
  // The folder is written: notes it, with its digest and size.
  absl::StatusOr<TrainedCheckpoint> Record(TrainedCheckpoint checkpoint);
  // Errors as ModelRegistry::Load.
  absl::Status Load(const TrainedCheckpoint& checkpoint, bool set_default);
  // The job's published versions but the newest `keep` are to go; see Collect.
  absl::Status Retire(const std::string& job_id, size_t keep);
  // Unloads what is retired, where sessions allow it, and deletes what is unloaded. Regularly.
  void Collect() ABSL_LOCKS_EXCLUDED(collecting_);
  // NOT_FOUND / UNKNOWN_CHECKPOINT; FAILED_PRECONDITION / MODEL_IN_USE while it is served.
  absl::Status Delete(const std::string& checkpoint);
  // Whether a version of this digest is served now.
  bool Served(const std::string& digest) const;

 private:
  bool InMemory(const std::string& digest) const;
  absl::Status Erase(const std::string& checkpoint);

  const PublisherOptions options_;
  absl::Mutex collecting_;
};

}  // namespace gwm::server

#endif  // GWM_SERVER_TRAINING_PUBLISHER_H_
