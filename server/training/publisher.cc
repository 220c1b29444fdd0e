#include "server/training/publisher.h"

#include <algorithm>
#include <future>

#include "absl/strings/str_cat.h"
#include "engine/io/sha256.h"
#include "server/base/error.h"
#include "server/base/status.h"
#include "server/models/checkpoint_path.h"

namespace gwm::server {
namespace {

// Of a checkpoint folder: its digest is that of this file.
constexpr char kSumsFile[] = "/SHA256SUMS";

}  // namespace

absl::StatusOr<std::string> Publisher::DigestOf(const std::string& folder) const {
  ASSIGN_OR_RETURN(const std::string sums, options_.disk->Read(folder + kSumsFile));
  return io::Sha256Hex(sums);
}

absl::Status Publisher::CheckFree(const std::string& checkpoint) const {
  if (options_.disk->Exists(FolderOf(checkpoint))) {
    return MakeError(absl::StatusCode::kAlreadyExists,
                     absl::StrCat("name: there is a checkpoint ", Quoted(checkpoint)),
                     {.reason = std::string(kCheckpointExists), .field = "name"});
  }
  const auto all = options_.table->List();
  if (all.size() < options_.max_checkpoints) return absl::OkStatus();
  return MakeError(absl::StatusCode::kResourceExhausted,
                   absl::StrCat(all.size(), " trained checkpoints are there; ",
                                "max_trained_checkpoints = ", options_.max_checkpoints,
                                " are allowed: delete one first"),
                   {.reason = std::string(kQuota)});
}

absl::StatusOr<TrainedCheckpoint> Publisher::Record(TrainedCheckpoint checkpoint) {
  const std::string folder = FolderOf(checkpoint.checkpoint);
  ASSIGN_OR_RETURN(checkpoint.digest, DigestOf(folder));
  checkpoint.bytes = FolderBytes(folder);
  RETURN_IF_ERROR(options_.table->Add(checkpoint));
  return checkpoint;
}

absl::Status Publisher::Load(const TrainedCheckpoint& checkpoint, bool set_default) {
  std::promise<absl::Status> done;
  options_.models->Load(
      {.checkpoint = checkpoint.checkpoint,
       .expected_digest = checkpoint.digest,
       .set_default = set_default},
      [&done](const absl::StatusOr<Model>& model) { done.set_value(model.status()); });
  return done.get_future().get();
}

absl::Status Publisher::Retire(const std::string& job_id, size_t keep) {
  return options_.table->Retire(job_id, keep);
}

void Publisher::Collect() {
  absl::MutexLock lock(&collecting_);
  for (const TrainedCheckpoint& one : options_.table->List()) {
    if (!one.retired) continue;
    if (Served(one.digest)) {
      std::promise<void> done;
      options_.models->Unload(
          {.checkpoint_digest = one.digest, .drain = true, .grace = std::nullopt},
          [&done](const absl::StatusOr<Model>&) { done.set_value(); });
      done.get_future().get();
    }
    // Sessions may hold it still, or it is the default model: another time then.
    if (!InMemory(one.digest)) Erase(one.checkpoint).IgnoreError();
  }
}

absl::Status Publisher::Delete(const std::string& checkpoint) {
  absl::MutexLock lock(&collecting_);
  const auto found = options_.table->Find(checkpoint);
  if (!found.has_value()) {
    return MakeError(absl::StatusCode::kNotFound,
                     absl::StrCat("checkpoint: no job made ", Quoted(checkpoint)),
                     {.reason = std::string(kUnknownCheckpoint), .field = "checkpoint"});
  }
  if (InMemory(found->digest)) {
    return MakeError(absl::StatusCode::kFailedPrecondition,
                     "the checkpoint is served; UnloadModel it first",
                     {.reason = std::string(kModelInUse), .field = "checkpoint"});
  }
  return Erase(checkpoint);
}

absl::Status Publisher::Erase(const std::string& checkpoint) {
  RETURN_IF_ERROR(options_.disk->Remove(FolderOf(checkpoint)));
  return options_.table->Remove(checkpoint);
}

bool Publisher::Served(const std::string& digest) const {
  const auto models = options_.models->List();
  return std::any_of(models.begin(), models.end(), [&digest](const Model& model) {
    return model.checkpoint_digest == digest && model.state == ModelState::kReady;
  });
}

bool Publisher::InMemory(const std::string& digest) const {
  const auto models = options_.models->List();
  return std::any_of(models.begin(), models.end(), [&digest](const Model& model) {
    return model.checkpoint_digest == digest && model.state != ModelState::kFailed;
  });
}

}  // namespace gwm::server
