// Jobs and checkpoints as JSON files.
#ifndef GWM_SERVER_TRAINING_JOB_FILE_H_
#define GWM_SERVER_TRAINING_JOB_FILE_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "server/training/training_job.h"

namespace gwm::server {

std::string ToJson(const TrainingJob& job);
// DataLoss for anything that ToJson did not write.
absl::StatusOr<TrainingJob> JobFromJson(std::string_view text);

std::string ToJson(const std::vector<TrainedCheckpoint>& checkpoints);
absl::StatusOr<std::vector<TrainedCheckpoint>> CheckpointsFromJson(std::string_view text);

// Of the training options of a request (train_json): reward_loss.imagined_share, 0 when it is not
// named.
double ImaginedShareOf(const std::string& train_json);

}  // namespace gwm::server

#endif  // GWM_SERVER_TRAINING_JOB_FILE_H_
