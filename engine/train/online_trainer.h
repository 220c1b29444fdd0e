// engine/api/trainer.h on a WorldModel.
#ifndef GWM_ENGINE_TRAIN_ONLINE_TRAINER_H_
#define GWM_ENGINE_TRAIN_ONLINE_TRAINER_H_

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/api/trainer.h"
#include "engine/io/safetensors.h"
#include "engine/model/world_model.h"
#include "engine/train/online_replay.h"
#include "engine/train/options.h"
#include "engine/train/sharded_gradients.h"
#include "engine/train/stage_optimizer.h"

namespace gwm {

// What a model brings along from its checkpoint.
struct TrainerOrigin {
  std::unique_ptr<WorldModel> model;  // on its device
  bool fresh = true;                  // its latents have not been measured yet
  std::string card;                   // of its checkpoint; empty for a fresh one
  std::optional<io::TensorFile> reset_pool;
};

class OnlineTrainer : public Trainer {
 public:
  // micro_rows >= 1
  OnlineTrainer(TrainerOrigin origin, const TrainOptions& options, int64_t micro_rows);

  int views() const override { return static_cast<int>(model_->config.views); }
  int height() const override { return static_cast<int>(model_->config.height); }
  int width() const override { return static_cast<int>(model_->config.width); }
  int action_dim() const override { return static_cast<int>(model_->config.action_dim); }

  absl::Status AddEpisode(const io::Episode& episode) override;
  void DropOldest(int64_t frames) override { replay_.DropOldest(frames); }
  ReplaySize replay() const override { return replay_.size(); }
  absl::StatusOr<bool> PrepareNext() override;
  absl::Status ImagineNext() override;
  absl::StatusOr<TrainedMicroBatch> Train(TrainPart part) override;
  absl::Status SaveCheckpoint(const std::string& dir, const std::string& note) override;
  absl::Status SaveState(const std::string& dir) override;
  absl::Status LoadState(const std::string& dir) override;

 private:
  // A part that was trained at least once.
  struct Learner {
    StageOptimizer optimizer;
    std::vector<torch::Tensor> gradients;  // sum over the micro-batches so far; undefined: 0
    std::vector<std::pair<std::string, double>> terms;
    int64_t micro_batches = 0;  // of the update that is under way

    void GiveUpUpdate() {
      gradients.clear();
      terms.clear();
      micro_batches = 0;
    }
  };

  Learner& LearnerOf(TrainPart part);
  const StageOptions& OptionsOf(TrainPart part) const;
  torch::nn::Module& ModuleOf(TrainPart part) const;
  int64_t TokenizerUpdates() const;
  absl::Status CheckTrainable(TrainPart part) const;
  LossTerms LossOf(TrainPart part, int64_t rows, torch::Generator& generator);
  absl::Status TrainOn(TrainPart part, Learner& learner, int64_t micro_batches);
  void MeasureOnce();
  void SwapAverages();

  std::unique_ptr<WorldModel> model_;
  bool measured_;  // the normalizer is that of the latents
  const std::string card_;
  const std::optional<io::TensorFile> reset_pool_;
  TrainOptions options_;
  const int64_t micro_rows_;
  OnlineReplay replay_;
  std::array<std::unique_ptr<Learner>, kTrainParts> learners_;
};

}  // namespace gwm

#endif  // GWM_ENGINE_TRAIN_ONLINE_TRAINER_H_
