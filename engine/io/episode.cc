#include "engine/io/episode.h"

#include <sys/stat.h>

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/io/file.h"

namespace gwm::io {
namespace {

constexpr char kFormat[] = "gwm-episode-1";
constexpr int64_t kAny = -1;

struct Field {
  const char* name;
  HostTensor Episode::*member;
};
constexpr Field kFields[] = {
    {"rgb", &Episode::rgb},
    {"depth_mm", &Episode::depth_mm},
    {"intrinsics", &Episode::intrinsics},
    {"world_from_cam", &Episode::world_from_cam},
    {"action", &Episode::action},
    {"reward", &Episode::reward},
    {"terminated", &Episode::terminated},
    {"success", &Episode::success},
};

std::string ShapeText(std::initializer_list<int64_t> shape) {
  std::string text = "[";
  for (int64_t dim : shape) {
    absl::StrAppend(&text, text.size() > 1 ? ", " : "", dim == kAny ? "*" : absl::StrCat(dim));
  }
  return text + "]";
}

absl::Status CheckTensor(const char* name, const HostTensor& tensor, DType dtype,
                         std::initializer_list<int64_t> shape) {
  const bool fits = tensor.dtype == dtype && tensor.shape.size() == shape.size() &&
                    std::equal(shape.begin(), shape.end(), tensor.shape.begin(),
                               [](int64_t want, int64_t is) { return want == kAny || want == is; });
  if (!fits) {
    return absl::InvalidArgumentError(
        absl::StrCat("tensor '", name, "' is ", DescribeTensor(tensor), ", must be ",
                     std::string(DTypeName(dtype)), " ", ShapeText(shape)));
  }
  if (CheckedTensorBytes(dtype, tensor.shape) != tensor.data.size()) {
    return absl::InvalidArgumentError(absl::StrCat("tensor '", name, "' is ",
                                                   DescribeTensor(tensor), " but holds ",
                                                   tensor.data.size(), " bytes"));
  }
  return absl::OkStatus();
}

absl::Status CheckShapes(const Episode& episode) {
  if (absl::Status status =
          CheckTensor("rgb", episode.rgb, DType::kU8, {kAny, kAny, kAny, kAny, 3});
      !status.ok()) {
    return status;
  }
  if (episode.rgb.data.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("tensor 'rgb' is ", DescribeTensor(episode.rgb),
                                                   ", every dimension must be at least 1"));
  }
  const int64_t frames = episode.frames();
  const int64_t views = episode.views();
  const absl::Status checks[] = {
      CheckTensor("depth_mm", episode.depth_mm, DType::kU16,
                  {frames, views, episode.height(), episode.width()}),
      CheckTensor("intrinsics", episode.intrinsics, DType::kF32, {views, 3, 3}),
      CheckTensor("world_from_cam", episode.world_from_cam, DType::kF32, {views, 4, 4}),
      CheckTensor("action", episode.action, DType::kF32, {frames, kAny}),
      CheckTensor("reward", episode.reward, DType::kF32, {frames}),
      CheckTensor("terminated", episode.terminated, DType::kU8, {frames}),
      CheckTensor("success", episode.success, DType::kU8, {frames})};
  for (const absl::Status& status : checks) {
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status CheckFinite(const char* name, const HostTensor& tensor) {
  const std::span<const float> values = tensor.values<float>();
  for (size_t i = 0; i < values.size(); ++i) {
    if (!std::isfinite(values[i])) {
      return absl::InvalidArgumentError(absl::StrCat("tensor '", name, "' holds ", values[i],
                                                     " at element ", i,
                                                     ", every value must be finite"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckFocalLengths(const HostTensor& intrinsics) {
  const std::span<const float> values = intrinsics.values<float>();
  for (size_t view = 0; view * 9 < values.size(); ++view) {
    for (size_t diagonal : {0, 4}) {
      const float focal = values[view * 9 + diagonal];
      if (!(focal > 0)) {
        return absl::InvalidArgumentError(absl::StrCat("tensor 'intrinsics' has the focal length ",
                                                       focal, " in view ", view,
                                                       ", must be positive"));
      }
    }
  }
  return absl::OkStatus();
}

bool HasEpisodeSuffix(std::string_view path) {
  return path.ends_with(".safetensors") || path.ends_with(".safetensors.zst");
}

absl::Status WithPath(const absl::Status& status, const std::string& path) {
  return absl::Status(status.code(), absl::StrCat(status.message(), ": ", path));
}

}  // namespace

std::string Episode::meta(const std::string& key) const {
  const auto found = metadata.find(key);
  return found == metadata.end() ? "" : found->second;
}

absl::Status CheckEpisode(const Episode& episode) {
  if (absl::Status status = CheckShapes(episode); !status.ok()) return status;
  const absl::Status checks[] = {CheckFinite("intrinsics", episode.intrinsics),
                                 CheckFinite("world_from_cam", episode.world_from_cam),
                                 CheckFinite("action", episode.action),
                                 CheckFinite("reward", episode.reward)};
  for (const absl::Status& status : checks) {
    if (!status.ok()) return status;
  }
  return CheckFocalLengths(episode.intrinsics);
}

absl::StatusOr<Episode> EpisodeFromTensors(TensorFile file) {
  const auto format = file.metadata.find("format");
  if (format == file.metadata.end() || format->second != kFormat) {
    return absl::InvalidArgumentError(absl::StrCat(
        "metadata 'format' is ", format == file.metadata.end() ? "missing" : "another one",
        ", must be ", kFormat));
  }
  Episode episode;
  episode.metadata = std::move(file.metadata);
  for (const Field& field : kFields) {
    auto found = file.tensors.extract(field.name);
    if (found.empty()) {
      return absl::InvalidArgumentError(absl::StrCat("no tensor '", field.name, "'"));
    }
    episode.*field.member = std::move(found.mapped());
  }
  episode.extra = std::move(file.tensors);
  if (absl::Status status = CheckEpisode(episode); !status.ok()) return status;
  return episode;
}

TensorFile EpisodeToTensors(const Episode& episode) {
  TensorFile file{episode.extra, episode.metadata};
  for (const Field& field : kFields) file.tensors[field.name] = episode.*field.member;
  file.metadata["format"] = kFormat;
  return file;
}

absl::StatusOr<Episode> ReadEpisode(const std::string& path) {
  absl::StatusOr<TensorFile> file = ReadTensorFile(path);
  if (!file.ok()) return file.status();
  absl::StatusOr<Episode> episode = EpisodeFromTensors(*std::move(file));
  if (!episode.ok()) return WithPath(episode.status(), path);
  return episode;
}

absl::Status WriteEpisode(const std::string& path, const Episode& episode, int zstd_level) {
  if (absl::Status status = CheckEpisode(episode); !status.ok()) return WithPath(status, path);
  return WriteTensorFile(path, EpisodeToTensors(episode), zstd_level);
}

absl::StatusOr<std::vector<std::string>> ListEpisodes(const std::string& root) {
  struct stat info = {};
  if (HasEpisodeSuffix(root) && ::stat(root.c_str(), &info) == 0 && S_ISREG(info.st_mode)) {
    return std::vector<std::string>{root};
  }
  absl::StatusOr<std::vector<std::string>> paths = ListFiles(root);
  if (!paths.ok()) return paths;
  std::erase_if(*paths, [](const std::string& path) { return !HasEpisodeSuffix(path); });
  if (paths->empty()) {
    return absl::NotFoundError(
        absl::StrCat("no episode files (*.safetensors, *.safetensors.zst) below: ", root));
  }
  return paths;
}

}  // namespace gwm::io
