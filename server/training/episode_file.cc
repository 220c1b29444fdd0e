#include "server/training/episode_file.h"

#include <charconv>
#include <span>
#include <vector>

#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "engine/io/crc32c.h"
#include "engine/io/safetensors.h"
#include "engine/io/zstd.h"
#include "server/base/status.h"

namespace gwm::server {
namespace {

constexpr std::string_view kSuffix = ".safetensors.zst";
constexpr int kZstdLevel = 3;
constexpr size_t kMaxBytes = size_t{4} << 30;  // of an episode, decompressed

template <typename T>
bool Parse(absl::string_view text, int base, T& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

std::string FileNameOf(const EpisodeFile& file) {
  return absl::StrFormat("%012u-%u-%u-%08x-%s%s", file.number, file.frames, file.appended_frames,
                         file.checksum, file.id, std::string(kSuffix));
}

std::optional<EpisodeFile> ParseFileName(std::string_view name) {
  if (!name.ends_with(kSuffix)) return std::nullopt;
  name.remove_suffix(kSuffix.size());
  const std::vector<absl::string_view> parts =
      absl::StrSplit(absl::string_view(name.data(), name.size()), absl::MaxSplits('-', 4));
  EpisodeFile file;
  if (parts.size() != 5 || !Parse(parts[0], 10, file.number) || !Parse(parts[1], 10, file.frames) ||
      !Parse(parts[2], 10, file.appended_frames) || !Parse(parts[3], 16, file.checksum) ||
      parts[4].empty()) {
    return std::nullopt;
  }
  file.id = std::string(parts[4]);
  return file;
}

absl::StatusOr<std::string> PackEpisode(const io::Episode& episode) {
  return io::ZstdCompress(io::SerializeTensors(io::EpisodeToTensors(episode)), kZstdLevel);
}

absl::StatusOr<io::Episode> UnpackEpisode(std::string_view bytes) {
  ASSIGN_OR_RETURN(const std::string plain, io::ZstdDecompress(bytes, kMaxBytes));
  const auto* data = reinterpret_cast<const uint8_t*>(plain.data());
  ASSIGN_OR_RETURN(io::TensorFile file, io::ParseTensors(std::span(data, plain.size())));
  return io::EpisodeFromTensors(std::move(file));
}

uint32_t ChecksumOf(std::string_view bytes) { return io::Crc32c(bytes); }

}  // namespace gwm::server
