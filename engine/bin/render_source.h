// What gwm-render can show: a sequence of scenes and the camera that they were seen from.
#ifndef GWM_ENGINE_BIN_RENDER_SOURCE_H_
#define GWM_ENGINE_BIN_RENDER_SOURCE_H_

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/api/types.h"
#include "engine/scene/gaussians.h"

namespace gwm {

struct RenderSource {
  std::vector<Gaussians> scenes;       // [N, ...] each, in time order; at least one
  std::optional<Camera> camera;        // of the episode; none for a PLY file
  std::array<float, 3> mean_colour{};  // of the images; the background that shows least
  double frame_s = 0.1;                // time between scenes
};

absl::StatusOr<RenderSource> SourceFromPly(const std::string& path);

struct EpisodeRange {
  std::string path;
  int64_t first = 0;  // row of the file
  int64_t count = 1;  // rows, cut at the end of the file
  int64_t view = 0;
};
// Each frame through the RGB-D front-end. OutOfRange names the row or view and what the file has.
absl::StatusOr<RenderSource> SourceFromEpisode(const EpisodeRange& range);

// A rollout of a checkpoint from row `first` of an episode: `count` states, the first one decoded
// from the real frame, the others imagined with the episode's own actions (zeros after its end).
absl::StatusOr<RenderSource> SourceFromRollout(const std::string& checkpoint,
                                               const EpisodeRange& range, const std::string& device,
                                               uint64_t seed);

}  // namespace gwm

#endif  // GWM_ENGINE_BIN_RENDER_SOURCE_H_
