// From episodes to a checkpoint: the stages in order, resumable at any point.
#ifndef GWM_ENGINE_TRAIN_RECIPE_H_
#define GWM_ENGINE_TRAIN_RECIPE_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "engine/model/config.h"
#include "engine/train/options.h"

namespace gwm {

struct RecipeOptions {
  std::vector<std::string> data;  // folders of episode files
  std::string out;                // checkpoint folder; training states and logs go to OUT.work
  ModelConfig model;
  TrainOptions train;
  bool tokenizer = true, dynamics = true, reward = true, error = true;  // which stages to run
  std::string device = "auto";
  int threads = 0;  // 0: probe
  bool quiet = false;
};

// Runs the stages that are asked for and writes the checkpoint after each. A stage that is already
// complete is read back, so the same call after a kill goes on where it stopped. FailedPrecondition
// when `dynamics` is asked for and the tokenizer of OUT is not the one that its saved training
// state belongs to.
absl::Status RunRecipe(const RecipeOptions& options);

}  // namespace gwm

#endif  // GWM_ENGINE_TRAIN_RECIPE_H_
