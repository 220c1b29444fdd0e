// What is known of one dataset without looking at its files. Plain data.
#ifndef GWM_SERVER_TRAINING_DATASET_H_
#define GWM_SERVER_TRAINING_DATASET_H_

#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "server/training/episode_file.h"

namespace gwm::server {

struct DatasetInfo {
  std::string name;
  uint64_t episodes = 0;
  uint64_t frames = 0;
  uint64_t bytes = 0;             // on disk
  uint64_t appended_frames = 0;   // ever
  uint64_t dropped_episodes = 0;  // for being the oldest
};

// Views, height, width, action entries.
using EpisodeSizes = std::array<int64_t, 4>;

class Dataset {
 public:
  // Of episodes that were there before: in the order of their numbers, no number twice.
  void Add(EpisodeFile file);
  // One that cannot be read stays counted as appended.
  void AddDamaged(const EpisodeFile& file);
  EpisodeFile DropOldest();

  bool empty() const { return files_.empty(); }
  bool Has(const std::string& id) const { return ids_.contains(id); }
  uint64_t bytes() const { return bytes_; }
  uint64_t next_number() const { return next_number_; }
  uint64_t appended_frames() const { return appended_frames_; }
  const std::deque<EpisodeFile>& files() const { return files_; }
  const EpisodeFile* Find(uint64_t number) const;
  DatasetInfo Info(const std::string& name) const;

  // Of its episodes; absent until one was seen.
  std::optional<EpisodeSizes> sizes;

 private:
  void Count(const EpisodeFile& file);

  std::deque<EpisodeFile> files_;
  std::set<std::string> ids_;
  uint64_t bytes_ = 0;
  uint64_t frames_ = 0;
  uint64_t next_number_ = 0;
  uint64_t appended_frames_ = 0;
  uint64_t damaged_ = 0;
};

}  // namespace gwm::server

#endif  // GWM_SERVER_TRAINING_DATASET_H_
