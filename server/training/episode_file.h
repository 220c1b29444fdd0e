// One episode as a file of a dataset. All that the dataset needs to know of it stands in its name,
// so that starting costs no more than reading each file once, for its checksum:
//
//   000000000012-100-1300-89abcdef-EPISODE_ID.safetensors.zst
//   number, frames, frames appended up to and with it, CRC-32C of the file
//
// Without its name it is an ordinary episode file (engine/io/episode.h).
#ifndef GWM_SERVER_TRAINING_EPISODE_FILE_H_
#define GWM_SERVER_TRAINING_EPISODE_FILE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "engine/io/episode.h"

namespace gwm::server {

inline constexpr std::string_view kDamagedSuffix = ".damaged";

struct EpisodeFile {
  uint64_t number = 0;           // 0, 1, ... in the order of coming
  uint64_t frames = 0;           // of the episode
  uint64_t appended_frames = 0;  // of its dataset, this one's included
  uint32_t checksum = 0;
  std::string id;
  uint64_t bytes = 0;  // of the file; not part of the name
};

std::string FileNameOf(const EpisodeFile& file);
// Absent when it is no such name.
std::optional<EpisodeFile> ParseFileName(std::string_view name);

absl::StatusOr<std::string> PackEpisode(const io::Episode& episode);
// InvalidArgument for bytes that PackEpisode did not make.
absl::StatusOr<io::Episode> UnpackEpisode(std::string_view bytes);
// Of the file's bytes.
uint32_t ChecksumOf(std::string_view bytes);

}  // namespace gwm::server

#endif  // GWM_SERVER_TRAINING_EPISODE_FILE_H_
