#include "server/training/dataset.h"

#include <algorithm>
#include <utility>

namespace gwm::server {

void Dataset::Count(const EpisodeFile& file) {
  next_number_ = std::max(next_number_, file.number + 1);
  appended_frames_ = std::max(appended_frames_, file.appended_frames);
}

void Dataset::Add(EpisodeFile file) {
  Count(file);
  bytes_ += file.bytes;
  frames_ += file.frames;
  ids_.insert(file.id);
  files_.push_back(std::move(file));
}

void Dataset::AddDamaged(const EpisodeFile& file) {
  Count(file);
  ++damaged_;
}

EpisodeFile Dataset::DropOldest() {
  EpisodeFile oldest = std::move(files_.front());
  files_.pop_front();
  ids_.erase(oldest.id);
  bytes_ -= oldest.bytes;
  frames_ -= oldest.frames;
  return oldest;
}

const EpisodeFile* Dataset::Find(uint64_t number) const {
  const auto found =
      std::lower_bound(files_.begin(), files_.end(), number,
                       [](const EpisodeFile& file, uint64_t n) { return file.number < n; });
  return found != files_.end() && found->number == number ? &*found : nullptr;
}

DatasetInfo Dataset::Info(const std::string& name) const {
  return {.name = name,
          .episodes = files_.size(),
          .frames = frames_,
          .bytes = bytes_,
          .appended_frames = appended_frames_,
          .dropped_episodes = next_number_ - std::min(next_number_, files_.size() + damaged_)};
}

}  // namespace gwm::server
