#include "server/training/episode_store.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/base/error.h"
#include "server/base/status.h"

namespace gwm::server {
namespace {

// Of a file that is not finished, and of a dataset that is on its way out.
constexpr std::string_view kUnfinished = ".tmp.";
constexpr std::string_view kGoing = ".going.";

EpisodeSizes SizesOf(const io::Episode& episode) {
  return {episode.views(), episode.height(), episode.width(), episode.action_dim()};
}

absl::Status NoSuchDataset(const std::string& dataset) {
  return MakeError(absl::StatusCode::kNotFound,
                   absl::StrCat("dataset: there is no ", Quoted(dataset)),
                   {.reason = std::string(kUnknownDataset), .field = "dataset"});
}

// What a client learns of a disk that did not write.
absl::Status NotWritten(const absl::Status& status) {
  if (!absl::IsResourceExhausted(status)) return absl::InternalError(status.message());
  return MakeError(absl::StatusCode::kResourceExhausted,
                   "the server's disk is full; the episode was not kept",
                   {.reason = std::string(kDiskFull)});
}

}  // namespace

absl::StatusOr<std::unique_ptr<EpisodeStore>> EpisodeStore::Open(EpisodeStoreOptions options) {
  std::unique_ptr<EpisodeStore> store(new EpisodeStore(std::move(options)));
  const EpisodeStoreOptions& o = store->options_;
  RETURN_IF_ERROR(o.disk->MakeFolders(o.root));
  ASSIGN_OR_RETURN(const auto names, o.disk->List(o.root));
  for (const std::string& name : names) {
    if (name.starts_with(kGoing)) {
      RETURN_IF_ERROR(o.disk->Remove(store->FolderOf(name)));
    } else if (!name.starts_with('.')) {
      RETURN_IF_ERROR(store->LoadDataset(name));
    }
  }
  return store;
}

absl::Status EpisodeStore::LoadDataset(const std::string& name) {
  ASSIGN_OR_RETURN(const auto files, options_.disk->List(FolderOf(name)));
  Dataset dataset;
  bool any = false;
  for (const std::string& file_name : files) {
    const std::string path = FolderOf(name) + "/" + file_name;
    if (file_name.find(kUnfinished) != std::string::npos) {
      RETURN_IF_ERROR(options_.disk->Remove(path));
      continue;
    }
    std::string_view whole = file_name;
    const bool damaged = whole.ends_with(kDamagedSuffix);
    if (damaged) whole.remove_suffix(kDamagedSuffix.size());
    auto file = ParseFileName(whole);
    if (!file.has_value()) continue;
    any = true;
    const absl::Status good = damaged ? absl::DataLossError("") : Check(name, *file, dataset);
    if (good.ok()) {
      dataset.Add(*std::move(file));
      continue;
    }
    if (!damaged) SetAside(path, good);
    dataset.AddDamaged(*file);
  }
  if (!any) return absl::OkStatus();  // a dataset begins with its first episode
  absl::MutexLock lock(&mutex_);
  for (const EpisodeFile& file : DropBeyondLimit(dataset)) {
    RETURN_IF_ERROR(options_.disk->Remove(PathOf(name, file)));
  }
  datasets_.emplace(name, std::move(dataset));
  return absl::OkStatus();
}

absl::Status EpisodeStore::Check(const std::string& name, EpisodeFile& file,
                                 Dataset& dataset) const {
  ASSIGN_OR_RETURN(const std::string bytes, options_.disk->Read(PathOf(name, file)));
  if (ChecksumOf(bytes) != file.checksum) return absl::DataLossError("the checksum is another one");
  file.bytes = bytes.size();
  if (dataset.sizes.has_value()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const io::Episode episode, UnpackEpisode(bytes));
  dataset.sizes = SizesOf(episode);
  return absl::OkStatus();
}

void EpisodeStore::SetAside(const std::string& path, const absl::Status& why) const {
  // Where even that is not possible it is left out all the same.
  options_.disk->Rename(path, path + std::string(kDamagedSuffix)).IgnoreError();
  if (options_.on_damaged) options_.on_damaged(path, why);
}

absl::Status EpisodeStore::CheckRoom(const std::string& dataset, const io::Episode& episode) const {
  absl::MutexLock lock(&mutex_);
  const auto found = datasets_.find(dataset);
  if (found == datasets_.end()) {
    if (datasets_.size() < options_.max_datasets) return absl::OkStatus();
    return MakeError(absl::StatusCode::kResourceExhausted,
                     absl::StrCat(datasets_.size(), " datasets are there; max_datasets = ",
                                  options_.max_datasets, " are allowed: delete one first"),
                     {.reason = std::string(kQuota), .field = "dataset"});
  }
  const auto& sizes = found->second.sizes;
  if (!sizes.has_value() || *sizes == SizesOf(episode)) return absl::OkStatus();
  return BadTensor("episode", absl::StrCat("views, height, width and action entries are ",
                                           absl::StrJoin(SizesOf(episode), ", "),
                                           "; those of the dataset's episodes, ",
                                           absl::StrJoin(*sizes, ", "), ", are allowed"));
}

absl::StatusOr<EpisodeFile> EpisodeStore::Write(const std::string& dataset, const std::string& id,
                                                const io::Episode& episode) {
  ASSIGN_OR_RETURN(const std::string bytes, PackEpisode(episode));
  if (bytes.size() > options_.max_dataset_bytes) {
    return BeyondLimit("episode", absl::StrCat(bytes.size(), " bytes; up to max_dataset_bytes = ",
                                               options_.max_dataset_bytes, " are allowed"));
  }
  EpisodeFile file{.frames = static_cast<uint64_t>(episode.frames()),
                   .checksum = ChecksumOf(bytes),
                   .id = id,
                   .bytes = bytes.size()};
  {
    absl::MutexLock lock(&mutex_);
    const auto found = datasets_.find(dataset);
    file.number = found == datasets_.end() ? 0 : found->second.next_number();
    file.appended_frames =
        file.frames + (found == datasets_.end() ? 0 : found->second.appended_frames());
  }
  absl::Status written = options_.disk->MakeFolders(FolderOf(dataset));
  if (written.ok()) written = options_.disk->Write(PathOf(dataset, file), bytes);
  if (!written.ok()) return NotWritten(written);
  return file;
}

absl::StatusOr<bool> EpisodeStore::Append(const std::string& dataset, const std::string& id,
                                          const io::Episode& episode) {
  absl::MutexLock writing(&writing_);
  {
    absl::MutexLock lock(&mutex_);
    const auto found = datasets_.find(dataset);
    if (found != datasets_.end() && found->second.Has(id)) return false;
  }
  RETURN_IF_ERROR(CheckRoom(dataset, episode));
  ASSIGN_OR_RETURN(EpisodeFile file, Write(dataset, id, episode));
  std::vector<EpisodeFile> dropped;
  {
    absl::MutexLock lock(&mutex_);
    Dataset& entry = datasets_[dataset];
    if (!entry.sizes.has_value()) entry.sizes = SizesOf(episode);
    entry.Add(std::move(file));
    dropped = DropBeyondLimit(entry);
  }
  // What stays behind after an error is dropped when the store is opened again.
  for (const EpisodeFile& old : dropped) options_.disk->Remove(PathOf(dataset, old)).IgnoreError();
  return true;
}

std::vector<EpisodeFile> EpisodeStore::DropBeyondLimit(Dataset& dataset) const {
  std::vector<EpisodeFile> dropped;
  while (dataset.bytes() > options_.max_dataset_bytes && dataset.files().size() > 1) {
    dropped.push_back(dataset.DropOldest());
  }
  return dropped;
}

absl::StatusOr<DatasetInfo> EpisodeStore::Get(const std::string& dataset) const {
  absl::MutexLock lock(&mutex_);
  const auto found = datasets_.find(dataset);
  if (found == datasets_.end()) return NoSuchDataset(dataset);
  return found->second.Info(dataset);
}

absl::Status EpisodeStore::Delete(const std::string& dataset) {
  absl::MutexLock writing(&writing_);
  {
    absl::MutexLock lock(&mutex_);
    if (datasets_.erase(dataset) == 0) return NoSuchDataset(dataset);
  }
  // In one step, so that a crash leaves all of it or nothing.
  const std::string going = FolderOf(std::string(kGoing) + dataset);
  absl::Status gone = options_.disk->Remove(going);
  if (gone.ok()) gone = options_.disk->Rename(FolderOf(dataset), going);
  if (gone.ok()) gone = options_.disk->Remove(going);
  return gone.ok() ? gone : absl::InternalError(gone.message());
}

std::vector<EpisodeFile> EpisodeStore::Since(const std::string& dataset, uint64_t number) const {
  absl::MutexLock lock(&mutex_);
  const auto found = datasets_.find(dataset);
  std::vector<EpisodeFile> files;
  if (found == datasets_.end()) return files;
  for (const EpisodeFile& file : found->second.files()) {
    if (file.number >= number) files.push_back(file);
  }
  return files;
}

absl::StatusOr<io::Episode> EpisodeStore::Read(const std::string& dataset,
                                               const EpisodeFile& file) const {
  ASSIGN_OR_RETURN(const std::string bytes, options_.disk->Read(PathOf(dataset, file)));
  if (ChecksumOf(bytes) != file.checksum) {
    return absl::DataLossError(absl::StrCat("episode ", file.id, ": the file is damaged"));
  }
  return UnpackEpisode(bytes);
}

}  // namespace gwm::server
