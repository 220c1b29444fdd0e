// Training: plain types to protobuf and back.
#ifndef GWM_CLIENTS_CPP_SRC_TRAINER_CONVERT_H_
#define GWM_CLIENTS_CPP_SRC_TRAINER_CONVERT_H_

#include "clients/cpp/src/convert.h"
#include "gwm/trainer.h"
#include "gwm/v1/trainer.pb.h"

namespace gwm::client::internal {

v1::TrainingEpisode ToProto(const TrainingEpisode& episode);
v1::StartTrainingRequest ToProto(const TrainingRequest& request);
Dataset FromProto(const v1::Dataset& dataset);
TrainingJob FromProto(const v1::TrainingJob& job);
TrainedCheckpoint FromProto(const v1::TrainedCheckpoint& checkpoint);

}  // namespace gwm::client::internal

#endif  // GWM_CLIENTS_CPP_SRC_TRAINER_CONVERT_H_
