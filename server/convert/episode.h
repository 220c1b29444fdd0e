// Episode files as a start: a path of a request -> frames.
#ifndef GWM_SERVER_CONVERT_EPISODE_H_
#define GWM_SERVER_CONVERT_EPISODE_H_

#include <string>

#include "absl/status/statusor.h"
#include "engine/api/world.h"
#include "gwm/v1/scene.pb.h"
#include "server/work/frames_batch.h"

namespace gwm::server {

// One row: the frame that `request` names and those before it that serve as context, with the
// actions between them. `root`: the folder that paths are confined to, links included; empty:
// Unimplemented. Errors as EpisodeFrame in scene.proto says; none shows a path of the server. Reads
// the file: not for the device thread.
absl::StatusOr<FramesBatch> LoadEpisodeFrame(const v1::EpisodeFrame& request,
                                             const std::string& field, const std::string& root,
                                             const WorldSpec& spec);

}  // namespace gwm::server

#endif  // GWM_SERVER_CONVERT_EPISODE_H_
