#include "engine/train/recipe.h"

#include <filesystem>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "engine/base/catch_torch.h"
#include "engine/base/compute.h"
#include "engine/base/device.h"
#include "engine/base/log.h"
#include "engine/base/status.h"
#include "engine/checkpoint/checkpoint.h"
#include "engine/data/latent_sequences.h"
#include "engine/io/file.h"
#include "engine/train/model_card.h"
#include "engine/train/reset_pool.h"
#include "engine/train/stages.h"

namespace gwm {
namespace {

class Recipe {
 public:
  explicit Recipe(const RecipeOptions& options)
      : options_(options),
        paths_{options.out + ".work", options.out + ".work/logs", options.quiet} {}

  absl::Status Run() {
    GWM_RETURN_IF_ERROR(Prepare());
    if (options_.tokenizer) GWM_RETURN_IF_ERROR(Tokenizer());
    const bool heads = options_.reward || options_.error;
    if (options_.dynamics || heads) GWM_RETURN_IF_ERROR(Encode());
    if (options_.dynamics) {
      GWM_RETURN_IF_ERROR(TrainDynamics(*model_, sequences_, options_.train, paths_));
      // The heads learn from rollouts of the very weights that the checkpoint will hold.
      if (options_.train.bf16_checkpoint) RoundToBf16(*model_->dynamics);
      GWM_RETURN_IF_ERROR(Save("dynamics"));
    }
    return heads ? Heads() : absl::OkStatus();
  }

 private:
  absl::Status Prepare() {
    GWM_ASSIGN_OR_RETURN(device_, ChooseDevice(options_.device));
    const int rows = static_cast<int>(options_.train.dynamics.batch * options_.model.tokens());
    GWM_ASSIGN_OR_RETURN(
        const Compute compute,
        ChooseCompute(device_, {.threads = options_.threads, .precision = "fp32", .rows = rows}));
    GWM_RETURN_IF_ERROR(io::MakeDirectories(paths_.state_dir));
    GWM_ASSIGN_OR_RETURN(data_, LoadDataset(options_.data, options_.model));
    ModelConfig config = options_.model;
    config.tasks = Tasks();
    GWM_ASSIGN_OR_RETURN(model_, WorldModel::Create(config, options_.train.seed));
    if (std::filesystem::exists(options_.out + "/config.json"))
      GWM_RETURN_IF_ERROR(TakeFromCheckpoint());
    model_->To(device_);
    LogInfo(absl::StrCat("training on ", data_.episodes.size(), " episodes (", data_.frames(),
                         " frames), ", device_.str(), ", ", compute.threads,
                         " threads; parameters: tokenizer ", ParameterCount(*model_->tokenizer),
                         ", dynamics ", ParameterCount(*model_->dynamics), ", reward head ",
                         ParameterCount(*model_->reward), ", error head ",
                         model_->error ? ParameterCount(*model_->error) : 0));
    return absl::OkStatus();
  }

  // Parts that this call does not train come from the checkpoint. The others start from the seed or
  // from their saved state, never from the checkpoint's rounded weights: a run that was killed
  // between two stages ends as one that was not.
  absl::Status TakeFromCheckpoint() {
    GWM_ASSIGN_OR_RETURN(auto loaded, LoadCheckpoint(options_.out));
    if (ConfigToJson(Comparable(loaded.model->config)) !=
        ConfigToJson(Comparable(model_->config))) {
      return absl::FailedPreconditionError(absl::StrCat(
          "training: ", options_.out,
          " holds a checkpoint of another config; choose another folder or remove it"));
    }
    model_->normalizer = loaded.model->normalizer;
    if (!options_.tokenizer) model_->tokenizer = loaded.model->tokenizer;
    if (!options_.dynamics) model_->dynamics = loaded.model->dynamics;
    if (!options_.reward) model_->reward = loaded.model->reward;
    if (!options_.error) model_->error = loaded.model->error;
    return absl::OkStatus();
  }

  // Without what may differ: later parts that are trained anew on a finished tokenizer may have
  // another shape. A call that trains everything keeps to the folder's config.
  ModelConfig Comparable(ModelConfig config) const {
    config.tokenizer_digest.clear();
    if (options_.tokenizer) return config;
    if (options_.dynamics) {
      config.dynamics = {};
      config.diffusion = {};
    }
    if (options_.reward) config.reward = {};
    if (options_.error) config.error_head = {};
    return config;
  }

  std::vector<std::string> Tasks() const {
    std::vector<std::string> tasks;
    for (const auto& e : data_.episodes) {
      if (!e.task.empty() && std::find(tasks.begin(), tasks.end(), e.task) == tasks.end()) {
        tasks.push_back(e.task);
      }
    }
    std::sort(tasks.begin(), tasks.end());
    return tasks;
  }

  absl::Status Tokenizer() {
    GWM_RETURN_IF_ERROR(TrainTokenizer(*model_, data_, options_.train, paths_));
    // The dynamics must see the very weights that the checkpoint will hold.
    if (options_.train.bf16_checkpoint) RoundToBf16(*model_->tokenizer);
    return Save("vae");
  }

  absl::Status Encode() {
    GWM_ASSIGN_OR_RETURN(
        sequences_, EncodeDatasetCached(*model_, data_, paths_.state_dir + "/latents.safetensors",
                                        TokenizerDigest(*model_, options_.train.bf16_checkpoint)));
    // A dynamics that is not trained here keeps the statistics that it was trained with.
    if (options_.dynamics) {
      model_->normalizer = MeasureLatents(sequences_, model_->config.diffusion.sigma_data);
    }
    model_->To(device_);
    return absl::OkStatus();
  }

  absl::Status Heads() {
    LazyImagination imagination(*model_, sequences_, options_.train.imagined_steps,
                                options_.train.seed, options_.quiet);
    if (options_.reward) {
      GWM_RETURN_IF_ERROR(TrainReward(*model_, sequences_, imagination, options_.train, paths_));
      GWM_RETURN_IF_ERROR(Save("reward"));
    }
    if (options_.error && model_->error) {
      GWM_RETURN_IF_ERROR(TrainError(*model_, imagination, options_.train, paths_));
      GWM_RETURN_IF_ERROR(Save("error"));
    }
    return absl::OkStatus();
  }

  absl::Status Save(const std::string& stage) {
    model_->To(torch::kCPU);
    const auto pool = MakeResetPool(data_, model_->config);
    const auto card = ModelCard(*model_, data_, options_.train, stage);
    GWM_RETURN_IF_ERROR(SaveCheckpoint(
        options_.out, *model_,
        {.bf16 = options_.train.bf16_checkpoint, .model_card = card, .reset_pool = &pool}));
    model_->To(device_);
    return absl::OkStatus();
  }

  const RecipeOptions& options_;
  StagePaths paths_;
  torch::Device device_ = torch::kCPU;
  Dataset data_;
  std::unique_ptr<WorldModel> model_;
  std::vector<LatentSequence> sequences_;
};

}  // namespace

absl::Status RunRecipe(const RecipeOptions& options) {
  return CatchTorch("training", [&]() { return Recipe(options).Run(); });
}

}  // namespace gwm
