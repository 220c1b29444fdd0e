// The README.md of a checkpoint.
#ifndef GWM_ENGINE_TRAIN_MODEL_CARD_H_
#define GWM_ENGINE_TRAIN_MODEL_CARD_H_

#include <string>

#include "engine/data/dataset.h"
#include "engine/model/world_model.h"
#include "engine/train/options.h"

namespace gwm {

// What the model is, what it was trained on, with which numbers, up to which stage ("vae",
// "dynamics", "reward"). Measured figures are appended by `gwm-train eval --card`.
std::string ModelCard(const WorldModel& model, const Dataset& data, const TrainOptions& options,
                      const std::string& stage);

}  // namespace gwm

#endif  // GWM_ENGINE_TRAIN_MODEL_CARD_H_
