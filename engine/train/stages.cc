#include "engine/train/stages.h"

namespace gwm {

StageRun RunOf(const std::string& name, const StageOptions& stage, const TrainOptions& options,
               const StagePaths& paths) {
  return {.name = name,
          .state_dir = paths.state_dir,
          .log_dir = paths.log_dir,
          .options = stage,
          .seed = options.seed,
          .log_every = options.log_every,
          .save_every = options.save_every,
          .quiet = paths.quiet,
          .prepare = {},
          .loss = {}};
}

}  // namespace gwm
