#include "server/convert/episode.h"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/io/episode.h"
#include "server/base/error.h"
#include "server/base/status.h"

namespace gwm::server {
namespace {

namespace fs = std::filesystem;

absl::Status NoSuchEpisode(const std::string& field, const std::string& path) {
  return MakeError(absl::StatusCode::kNotFound,
                   absl::StrCat(field, ": no episode file ", Quoted(path)),
                   {.reason = std::string(kUnknown), .field = field});
}

// The file below `root` that `path` names, with every link resolved.
absl::StatusOr<fs::path> Confine(const std::string& path, const std::string& field,
                                 const std::string& root) {
  const absl::Status outside =
      BadField(field, absl::StrCat(Quoted(path), "; a path below the episode root is allowed"));
  const fs::path relative(path);
  if (path.empty() || path.find('\0') != std::string::npos || relative.is_absolute() ||
      std::find(relative.begin(), relative.end(), "..") != relative.end()) {
    return outside;
  }
  std::error_code error;
  const fs::path base = fs::canonical(root, error);
  if (error) return NoSuchEpisode(field, path);
  const fs::path full = fs::canonical(base / relative, error);
  if (error || !fs::is_regular_file(full, error)) return NoSuchEpisode(field, path);
  const auto [base_end, rest] = std::mismatch(base.begin(), base.end(), full.begin(), full.end());
  if (base_end != base.end()) return outside;
  return full;
}

absl::Status CheckSizes(const io::Episode& episode, const v1::EpisodeFrame& request,
                        const std::string& field, const WorldSpec& spec) {
  if (episode.views() != spec.views || episode.height() != spec.height ||
      episode.width() != spec.width || episode.action_dim() != spec.action_dim) {
    return BadField(
        field + ".path",
        absl::StrCat(episode.views(), " views of ", episode.width(), " x ", episode.height(),
                     " pixels and ", episode.action_dim(), " action entries; ", spec.views, " of ",
                     spec.width, " x ", spec.height, " and ", spec.action_dim, " are allowed"));
  }
  if (request.frame() >= static_cast<uint64_t>(episode.frames())) {
    return BeyondLimit(field + ".frame", absl::StrCat(request.frame(), "; 0 to ",
                                                      episode.frames() - 1, " is allowed"));
  }
  return absl::OkStatus();
}

// Rows first..first+count-1 of a tensor; `shape` is that of the slice and outlives the view.
TensorView Slice(const HostTensor& tensor, int64_t first, const std::vector<int64_t>& shape) {
  const int64_t row_bytes = static_cast<int64_t>(tensor.data.size()) / tensor.shape.front();
  return {tensor.dtype, shape, tensor.data.data() + first * row_bytes};
}

FramesBatch BatchOf(std::shared_ptr<const io::Episode> episode, int64_t first, int64_t count) {
  const int64_t v = episode->views(), h = episode->height(), w = episode->width();
  FramesBatch batch;
  *batch.shapes = {.rgb = {count, v, h, w, 3},
                   .depth_mm = {count, v, h, w},
                   .intrinsics = {v, 3, 3},
                   .world_from_cam = {v, 4, 4},
                   .actions = {count - 1, episode->action_dim()}};
  RgbdFrames& row = batch.rows.emplace_back();
  row.rgb = Slice(episode->rgb, first, batch.shapes->rgb);
  row.depth_mm = Slice(episode->depth_mm, first, batch.shapes->depth_mm);
  row.intrinsics = Slice(episode->intrinsics, 0, batch.shapes->intrinsics);
  row.world_from_cam = Slice(episode->world_from_cam, 0, batch.shapes->world_from_cam);
  // Row t of the file's actions is the one that led to frame t.
  if (count > 1) row.actions = Slice(episode->action, first + 1, batch.shapes->actions);
  batch.owner = std::move(episode);
  return batch;
}

}  // namespace

absl::StatusOr<FramesBatch> LoadEpisodeFrame(const v1::EpisodeFrame& request,
                                             const std::string& field, const std::string& root,
                                             const WorldSpec& spec) {
  if (root.empty()) return Unsupported(field, "this server has no episode root");
  ASSIGN_OR_RETURN(const fs::path file, Confine(request.path(), field + ".path", root));
  auto episode = io::ReadEpisode(file.string());
  if (!episode.ok()) {
    return BadField(field + ".path",
                    absl::StrCat(Quoted(request.path()), " does not hold a usable episode"));
  }
  RETURN_IF_ERROR(CheckSizes(*episode, request, field, spec));
  const int64_t last = request.frame();
  const int64_t first = std::max<int64_t>(0, last - spec.context_frames + 1);
  return BatchOf(std::make_shared<const io::Episode>(*std::move(episode)), first, last - first + 1);
}

}  // namespace gwm::server
