#include <filesystem>

#include "absl/strings/str_cat.h"
#include "engine/api/trainer.h"
#include "engine/base/catch_torch.h"
#include "engine/base/device.h"
#include "engine/base/status.h"
#include "engine/checkpoint/checkpoint.h"
#include "engine/io/file.h"
#include "engine/train/online_trainer.h"

namespace gwm {
namespace {

// Learning rates stay where their warm-up ends: how long training will last is not known.
TrainOptions OnlineDefaults() {
  TrainOptions options;
  for (StageOptions* stage : {&options.vae, &options.dynamics, &options.reward, &options.error}) {
    stage->warmup_steps = 20;
    stage->final_rate = 1;
  }
  return options;
}

absl::StatusOr<TrainerOrigin> FreshModel(const TrainerOptions& options) {
  TrainerOrigin origin;
  GWM_ASSIGN_OR_RETURN(ModelConfig config, ProfileConfig(options.profile));
  if (!options.model_json.empty()) {
    GWM_ASSIGN_OR_RETURN(config, OverrideConfig(config, options.model_json));
  }
  GWM_ASSIGN_OR_RETURN(origin.model, WorldModel::Create(config, options.seed));
  return origin;
}

absl::StatusOr<TrainerOrigin> ModelOf(const std::string& dir) {
  TrainerOrigin origin{.fresh = false};
  GWM_ASSIGN_OR_RETURN(auto loaded, LoadCheckpoint(dir));
  origin.model = std::move(loaded.model);
  GWM_ASSIGN_OR_RETURN(origin.card, io::ReadFile(dir + "/README.md"));
  if (const std::string pool = absl::StrCat(dir, "/", kResetPoolFile);
      std::filesystem::exists(pool)) {
    GWM_ASSIGN_OR_RETURN(origin.reset_pool, io::ReadTensorFile(pool));
  }
  return origin;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Trainer>> OpenTrainer(const TrainerOptions& options) {
  if (options.micro_rows < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("micro_rows is ", options.micro_rows, "; 1 or more is allowed"));
  }
  return CatchTorch("opening a trainer", [&]() -> absl::StatusOr<std::unique_ptr<Trainer>> {
    TrainOptions train = OnlineDefaults();
    if (!options.train_json.empty()) {
      GWM_ASSIGN_OR_RETURN(train, OverrideTrainOptions(train, options.train_json));
    }
    train.seed = options.seed;
    GWM_ASSIGN_OR_RETURN(const auto device, ChooseDevice(options.device));
    if (options.threads > 0) at::set_num_threads(options.threads);
    GWM_ASSIGN_OR_RETURN(auto origin, options.checkpoint_dir.empty()
                                          ? FreshModel(options)
                                          : ModelOf(options.checkpoint_dir));
    origin.model->To(device);
    return std::unique_ptr<Trainer>(
        std::make_unique<OnlineTrainer>(std::move(origin), train, options.micro_rows));
  });
}

}  // namespace gwm
