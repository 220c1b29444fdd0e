// Episode files: one robot episode of RGB-D frames, actions and rewards (metadata
// format=gwm-episode-1).
#ifndef GWM_ENGINE_IO_EPISODE_H_
#define GWM_ENGINE_IO_EPISODE_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/io/host_tensor.h"
#include "engine/io/safetensors.h"

namespace gwm::io {

// Row 0 is the reset frame, row t the result of action t. T frames, V views, H x W pixels, A action
// entries.
struct Episode {
  HostTensor rgb;             // u8 [T, V, H, W, 3]
  HostTensor depth_mm;        // u16 [T, V, H, W], z along the optical axis; 0 = nothing hit
  HostTensor intrinsics;      // f32 [V, 3, 3], pixel centres at +0.5
  HostTensor world_from_cam;  // f32 [V, 4, 4], OpenCV axes (x right, y down, z forward)
  HostTensor action;          // f32 [T, A]; row 0 is zero
  HostTensor reward;          // f32 [T]
  HostTensor terminated;      // u8 [T]
  HostTensor success;         // u8 [T]
  std::map<std::string, HostTensor> extra;      // any other tensor of the file (state, ...)
  std::map<std::string, std::string> metadata;  // task, kind, seed, camera, ...

  int64_t frames() const { return rgb.shape[0]; }
  int64_t views() const { return rgb.shape[1]; }
  int64_t height() const { return rgb.shape[2]; }
  int64_t width() const { return rgb.shape[3]; }
  int64_t action_dim() const { return action.shape[1]; }
  // Metadata value or "" when absent.
  std::string meta(const std::string& key) const;
};

// InvalidArgument names the tensor whose dtype or shape contradicts the others (T, V, H and W are
// at least 1), that has a value that is not finite, or a focal length that is not positive.
absl::Status CheckEpisode(const Episode& episode);

// InvalidArgument when the metadata has another format, when a tensor is missing, and as
// CheckEpisode.
absl::StatusOr<Episode> EpisodeFromTensors(TensorFile file);
// Sets metadata format=gwm-episode-1.
TensorFile EpisodeToTensors(const Episode& episode);
// As ReadTensorFile and EpisodeFromTensors.
absl::StatusOr<Episode> ReadEpisode(const std::string& path);
// Checks the episode first; compresses for *.zst.
absl::Status WriteEpisode(const std::string& path, const Episode& episode, int zstd_level = 9);

// All episode files (*.safetensors, *.safetensors.zst) below the folder `root`, sorted by path;
// `root` may also be such a file itself. Links to folders inside are not followed. NotFound when
// there are none.
absl::StatusOr<std::vector<std::string>> ListEpisodes(const std::string& root);

}  // namespace gwm::io

#endif  // GWM_ENGINE_IO_EPISODE_H_
