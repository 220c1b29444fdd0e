// Imagined states seen from where no camera of the model stood.
#ifndef GWM_ENGINE_TRAIN_EVALUATE_NOVEL_H_
#define GWM_ENGINE_TRAIN_EVALUATE_NOVEL_H_

#include <map>

#include "engine/data/dataset.h"
#include "engine/model/world_model.h"
#include "engine/train/evaluate.h"
#include "engine/train/evaluation_sums.h"

namespace gwm {

// `data`: episodes with one view more than the model takes. The last camera of each is hidden from
// the model; its real frames judge the states rendered at its pose: the imagined ones, the real
// frames through the tokenizer, and the start frame ("repeat-last"). Horizons that no episode
// reaches stay absent. Starts, calls and seed as in `options`.
std::map<int64_t, NovelViewSums> ScoreNovelViews(const WorldModel& model, const Dataset& data,
                                                 const EvaluateOptions& options);

}  // namespace gwm

#endif  // GWM_ENGINE_TRAIN_EVALUATE_NOVEL_H_
