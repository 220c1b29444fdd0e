// Training: wire <-> plain types. Errors as in session_request.h.
#ifndef GWM_SERVER_CONVERT_TRAINING_MESSAGE_H_
#define GWM_SERVER_CONVERT_TRAINING_MESSAGE_H_

#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "engine/io/episode.h"
#include "gwm/v1/trainer.pb.h"
#include "server/base/options.h"
#include "server/training/training_room.h"

namespace gwm::server {

// Moves the tensors' bytes out of `episode`.
absl::StatusOr<io::Episode> ParseEpisode(v1::TrainingEpisode& episode);
absl::StatusOr<TrainingSpec> ParseStart(const v1::StartTrainingRequest& request,
                                        const Limits& limits);
absl::StatusOr<SaveArgs> ParseSave(const v1::SaveCheckpointRequest& request);
// The least time between two messages of WatchJob.
absl::StatusOr<absl::Duration> ParseInterval(const v1::WatchJobRequest& request);

// Whether the version of a digest is served now.
using IsServed = std::function<bool(const std::string& digest)>;

v1::Dataset ToProto(const DatasetInfo& info);
v1::TrainingJob ToProto(const JobView& view, const IsServed& served);
v1::TrainedCheckpoint ToProto(const TrainedCheckpoint& checkpoint, const IsServed& served);

}  // namespace gwm::server

#endif  // GWM_SERVER_CONVERT_TRAINING_MESSAGE_H_
